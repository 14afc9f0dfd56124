// The processes that a launcher (mpirun, mpiexec, srun) started this one among.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/comm/processes.h"

namespace seqgrad {

// What a launcher has told in the environment of each process that it starts.
struct Launcher {
  std::string name;          // "Open MPI's mpirun"
  std::optional<int> count;  // of processes; PMIx does not tell it
  std::vector<std::string>
      of;  // the MPIs whose processes it may connect, the likeliest first: "openmpi", "mpich"; or none
};
using Environment = std::function<const char*(const char* name)>;  // as getenv
std::optional<Launcher> launcher(const Environment& environment);

// MPI is opened when they are first asked for, and kept. alone() where no launcher is seen, or one that started one
// process: such a program opens no library. InputError where the launcher belongs to an MPI that seqgrad was not built
// for.
Processes& launched_processes();
// The same, where they have been asked for; else alone().
Processes& opened_processes();

}  // namespace seqgrad

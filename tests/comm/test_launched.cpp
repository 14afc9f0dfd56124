// What launchers tell those that they start, and which MPI can connect them.
#include <map>

#include "engine/comm/launched.h"
#include "tests/support/catch.h"

using namespace seqgrad;

namespace {

using Variables = std::map<std::string, std::string>;

std::optional<Launcher> launched_with(const Variables& all) {
  return launcher([&](const char* name) {
    const auto found = all.find(name);
    return found == all.end() ? nullptr : found->second.c_str();
  });
}

// "srun 4 openmpi mpich"; a count that is not known is a question mark.
std::string told(const Variables& all) {
  const auto from = launched_with(all);
  if (!from) return "none";
  std::string out = from->name + " " + (from->count ? std::to_string(*from->count) : "?");
  for (const std::string& family : from->of) out += " " + family;
  return out;
}

}  // namespace

TEST_CASE("a launcher is known by what it sets") {
  CHECK(told({}) == "none");
  CHECK(told({{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "4"}}) == "none");  // a script of sbatch
  CHECK(told({{"OMPI_COMM_WORLD_SIZE", "3"}, {"PMIX_RANK", "0"}}) == "Open MPI's mpirun 3 openmpi");
  CHECK(told({{"PMI_SIZE", "3"}, {"PMI_RANK", "1"}}) == "MPICH's mpirun 3 mpich");
  CHECK(told({{"SLURM_STEP_NUM_TASKS", "4"}}) == "srun 4");  // srun --mpi=none
  CHECK(told({{"SLURM_STEP_NUM_TASKS", "4"}, {"PMIX_RANK", "2"}}) == "srun 4 openmpi mpich");
  CHECK(told({{"SLURM_STEP_NUM_TASKS", "4"}, {"PMI_SIZE", "4"}}) == "srun 4 mpich openmpi");  // srun --mpi=pmi2
  CHECK(told({{"SLURM_STEP_NUM_TASKS", "1"}, {"PMIX_RANK", "0"}}) == "none");                 // srun --pty bash
  CHECK(told({{"PMIX_RANK", "0"}}) == "a launcher with PMIx ? openmpi mpich");
}

TEST_CASE("mpirun inside of srun is what counts: it is started once a host, and starts the processes") {
  CHECK(told({{"SLURM_STEP_NUM_TASKS", "2"}, {"OMPI_COMM_WORLD_SIZE", "8"}}) == "Open MPI's mpirun 8 openmpi");
  CHECK(told({{"SLURM_STEP_NUM_TASKS", "2"}, {"PMI_SIZE", "8"}}) == "MPICH's mpirun 8 mpich");
}

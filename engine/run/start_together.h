// What several processes settle before they compute anything together.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "engine/comm/processes.h"
#include "engine/run/process_settings.h"
#include "engine/train/loss_setup.h"

namespace seqgrad {

// All take the lowest of their instruction sets; to be called before anything is computed. What there is to say of it.
std::string agree_on_isa(Processes& processes);

// Refuses more processes than a step has parts; `goes_on`: of a run whose shards cannot change any more.
void require_parts(const Config& config, const Processes& processes, bool goes_on);

// What decides the bytes of a run, by name.
using RunValues = std::vector<std::pair<std::string, std::string>>;
RunValues decisive(const Config& config, Device device, const Processes& processes);
void add_data(RunValues& values, const Data& data, const LossSetup& loss);
// Throws in all processes, with rank, host and both values, where one has another value than the first.
void require_same(Processes& processes, const RunValues& mine);

// Cores of this process: those that it may run on, each shared among the processes of its host that may run there, too.
struct Cores {
  int64_t own = 1;                      // at least 1
  int64_t share = 1;                    // of all cores of the host, were no process bound to some of them
  std::vector<std::string> hosts = {};  // of each process
};
Cores cores_of(Processes& processes);
std::string cores_note(const Cores& cores, int64_t threads);  // what is odd about them; "" for nothing

// apply_process_settings for processes that share hosts: each takes the GPU of its number among those of its host,
// modulo the number of GPUs.
ProcessSettings apply_process_settings(const Config& config, Processes& processes);

}  // namespace seqgrad

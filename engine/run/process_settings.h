// What a config asks of the whole process, threads and device, and of the current tape: precision, memory of logits.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/core/backend.h"
#include "engine/train/config.h"

namespace seqgrad {

struct ProcessSettings {
  Device device;
  std::string text;  // "cpu, 2 threads (no GPU: built without CUDA)", the reason where `auto` chose
  // Of several processes:
  std::vector<std::string> hosts = {};  // of each
  std::string mpi = {}, shared = {};    // "Open MPI 4.1.4"; "4 processes on 2 hosts", and what is odd about their cores
};

// Sets the thread count and the tape's settings, and chooses the device. `cores`: that are for this process; none: all
// that it may run on. Throws SystemError when the GPU is asked for and cannot be used.
ProcessSettings apply_process_settings(const Config& config, std::optional<int64_t> cores = {});

}  // namespace seqgrad

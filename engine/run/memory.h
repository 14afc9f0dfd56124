// What cannot fit in memory is refused, with the estimate, before anything is allocated.
#pragma once
#include <functional>
#include <string>

#include "engine/core/backend.h"
#include "engine/data/config.h"
#include "engine/train/config.h"

namespace seqgrad {

struct MemoryLimit {
  double bytes = 0;
  std::string what;  // "this machine has", "the control group /a allows"
};

// What a process may take at most: on the CPU the least of the machine's memory, of what its control groups (versions 1
// and 2) allow, and of its limit of addresses (ulimit -v); on a GPU that device's memory. `root` stands for "" in
// tests: where /proc and /sys are.
MemoryLimit memory_limit(Device device, const std::string& root = "");

// InputError when `bytes`, which are needed for `what`, are more than that.
void check_memory(double bytes, const std::string& what, const std::string& hint, Device device = Device::cpu);

// A lower bound, in bytes, of what a batch [B,S] to [B,T] takes beside the model.
using BatchBytes = std::function<double(int64_t batch, int64_t source_steps, int64_t target_steps)>;

// Looks at the largest batch of each split, as training and validation make them: more than the device has beside the
// model's `model_bytes` is refused with the file and line of the longest sentence.
void check_batches(const RunConfig& config, const Data& data, Device device, double model_bytes,
                   const BatchBytes& bytes);

}  // namespace seqgrad

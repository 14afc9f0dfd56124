// How much memory a process may take.
#pragma once
#include <string>

#include "engine/core/backend.h"

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

}  // namespace seqgrad

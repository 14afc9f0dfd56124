// The devices that tests walk: the CPU, and the GPU's kernels on whatever runs them (tests/emulate, or a GPU).
#pragma once
#include <array>
#include <string>

#include "engine/core/backend.h"

namespace seqgrad {

inline std::array<Device, 2> test_devices() { return {Device::cpu, Device::cuda}; }

// "cuda-emulated" where no GPU is behind it.
inline std::string test_name_of(Device device) {
  const bool emulated = device == Device::cuda && backend(device).describe().starts_with("emulated");
  return emulated ? "cuda-emulated" : name_of(device);
}

}  // namespace seqgrad

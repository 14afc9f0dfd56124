// The --device option of commands without a config.
#pragma once
#include "engine/core/backend.h"
#include "engine/core/error.h"

namespace seqgrad {

// Throws InputError for an unknown name, SystemError for a device that is not there.
inline Device device_of(const std::string& name) {
  if (name == "cpu" || name == "auto") return Device::cpu;
  if (name == "cuda") {
    backend(Device::cuda);
    return Device::cuda;
  }
  refuse("--device: expected cpu, cuda or auto, got '{}'", shown(name));
}

}  // namespace seqgrad

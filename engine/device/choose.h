// Which device a run uses, and why.
#pragma once
#include <string>

#include "engine/core/backend.h"

namespace seqgrad {

struct DeviceChoice {
  Device device;
  std::string
      why_not_gpu;  // "built without CUDA", "no CUDA-capable device is detected …"; empty on the GPU, or not asked
};

// A device's name, or `auto`: the GPU where there is one that works. Throws SystemError when the device cannot be used,
// InputError for any other name.
DeviceChoice choose_device(const std::string& name);

}  // namespace seqgrad

// What a config asks of the whole process: threads, device, precision.
#pragma once
#include <string>

#include "engine/core/backend.h"
#include "engine/train/config.h"

namespace seqgrad {

struct ProcessSettings {
  Device device;
  std::string text;  // "cpu, 2 threads (no GPU: built without CUDA)", the reason where `auto` chose
};

// Sets the thread count and chooses the device. Throws SystemError when the GPU is asked for and cannot be used.
ProcessSettings apply_process_settings(const Config& config);

}  // namespace seqgrad

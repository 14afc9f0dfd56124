// A build without a GPU has nothing to ask.
#include "engine/device/device_memory.h"

#include "engine/core/backend.h"
#include "engine/core/error.h"

namespace seqgrad {

using Query = size_t (*)();
static constinit Query installed = nullptr;  // before any file installs itself

bool install_gpu_memory(size_t (*query)()) {
  installed = query;
  return true;
}

size_t gpu_memory() {
  backend(Device::cuda).synchronise();  // says why there is no such device
  if (!installed) system_failure("this build cannot ask a GPU for its memory");
  return installed();
}

}  // namespace seqgrad

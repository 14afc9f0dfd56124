// The memory that the driver tells of.
#include "engine/device/device_memory.h"

#include "engine/device/gpu.cuh"

namespace seqgrad {

static const bool installed = install_gpu_memory([] { return gpu::properties().totalGlobalMem; });

}  // namespace seqgrad

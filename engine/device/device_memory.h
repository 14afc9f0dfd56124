// How much memory a GPU has.
#pragma once
#include <cstddef>

namespace seqgrad {

// Bytes of the device in all. SystemError where this build or machine has none.
size_t gpu_memory();

// The GPU's file installs itself.
bool install_gpu_memory(size_t (*query)());

}  // namespace seqgrad

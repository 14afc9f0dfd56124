// Ids and lengths are checked before a kernel reads by them, on every device.
#pragma once
#include <cstdint>
#include <optional>

#include "engine/core/tensor.h"

namespace seqgrad {

struct OutsideId {
  int64_t at;  // row-major index
  int32_t value;
};

// The first element of x that is outside [low, high]. On a GPU that is known from the numbers that were uploaded, and
// only otherwise does the host wait for the device to look at them.
std::optional<OutsideId> first_outside(const Tensor& x /*i32*/, int64_t low, int64_t high);

// Throws "<op>: <what>[2]=7 is outside [0,5]" for lengths that are.
void check_lengths(const char* op, const char* what, const Tensor& lengths /*i32*/, int64_t most);

}  // namespace seqgrad

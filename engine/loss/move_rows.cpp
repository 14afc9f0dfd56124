// On the CPU a row is one loop.
#include "engine/loss/move_rows.h"

#include <algorithm>

namespace seqgrad {
namespace {

template <class T>
void move_rows_cpu(const kernels::MoveRows<T>& k) {
  for (int64_t i = 0; i < k.count; ++i) {
    const int64_t tile = i * k.width, array = k.places[i] * k.width;
    if (k.scatter)
      for (int64_t c = 0; c < k.width; ++c) k.to[array + c] += k.from[tile + c];
    else
      std::copy_n(k.from + array, k.width, k.to + tile);
  }
}

const bool installed = install<Device::cpu>(kernels::move_rows<float>, move_rows_cpu<float>) &&
                       install<Device::cpu>(kernels::move_rows<double>, move_rows_cpu<double>);

}  // namespace
}  // namespace seqgrad

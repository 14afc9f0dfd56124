// Rows between their places in a [·,width] array and a dense tile.
#pragma once
#include <cstdint>

#include "engine/core/kernel.h"

namespace seqgrad::kernels {

template <class T>
struct MoveRows {
  const T* from;
  T* to;
  const int64_t* places;  // [count], on the device: row i of the tile is row places[i] of the array; no two are the
                          // same, but for -1 (GPU): a row of zeros, which is moved nowhere
  int64_t count, width;
  bool scatter;  // from the tile to the array, to be added there
};
template <class T>
inline constinit Kernel<MoveRows<T>> move_rows{"move_rows"};

}  // namespace seqgrad::kernels

// Rows between their places in a [·,width] array and a dense tile.
#pragma once
#include <cstdint>

#include "engine/core/kernel.h"

namespace seqgrad::kernels {

template <class T>
struct MoveRows {
  const T* from;
  T* to;
  const int64_t* places;  // [count], on the host and all different: row i of the tile is row places[i] of the array
  int64_t count, width;
  bool scatter;  // from the tile to the array
};
template <class T>
inline constinit Kernel<MoveRows<T>> move_rows{"move_rows"};

}  // namespace seqgrad::kernels

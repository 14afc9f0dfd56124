// What the row kernels of the GPU share: how many threads a row has, sums over them, and where results go.
#pragma once
#include <algorithm>
#include <cmath>

#include "engine/device/gpu.cuh"
#include "engine/loss/row_loss.h"

namespace seqgrad {

template <class T>
constexpr int row_threads_most = sizeof(T) == 4 ? 1024 : 512;  // float64 needs more registers

// A function of V alone, so that a row has the same bits in every batch: a thread has some 32 classes of a wide row.
template <class T>
int row_threads(int64_t classes) {
  const int wanted = classes <= 64 ? 32 : classes <= 4096 ? 128 : classes <= 8192 ? 256 : classes <= 16384 ? 512 : 1024;
  return std::min(wanted, row_threads_most<T>);
}

constexpr size_t row_shared = 1024 / gpu::warp * 5 * sizeof(double);  // for sums of up to five numbers

// Of all threads of the block, to all.
template <class S>
__device__ S block_total(const S& x) {
  static_assert(row_shared >= 1024 / gpu::warp * sizeof(S));
  return gpu::block_reduce(x, gpu::shared_memory<S>(), gpu::Plus{});
}

template <class T>
__device__ void store_result(const kernels::RowLoss<T>& k, int64_t i, const RowResult& result) {
  k.results[i] = result;
  if (k.stop && (result.invalid || (result.nonfinite && !k.rule.propagate))) gpu::raise(k.stop);
}

}  // namespace seqgrad

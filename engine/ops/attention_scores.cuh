// Scores of attention, by the warps and blocks of a GPU.
#pragma once
#include <cmath>

#include "engine/device/gpu.cuh"
#include "engine/ops/vector_math.h"

namespace seqgrad {

// The warp's dot product; all lanes get it.
template <class T>
__device__ T warp_dot(const T* a, const T* b, int64_t n) {
  T sum = 0;
  for (int64_t i = threadIdx.x % gpu::warp; i < n; i += gpu::warp) sum += a[i] * b[i];
  return gpu::warp_reduce(sum, gpu::Plus{});
}
template <class T>
__device__ T warp_additive_score(const T* q, const T* key, const T* v, int64_t n) {
  T sum = 0;
  for (int64_t i = threadIdx.x % gpu::warp; i < n; i += gpu::warp) sum += v[i] * fast_tanh(q[i] + key[i]);
  return gpu::warp_reduce(sum, gpu::Plus{});
}

// f(s) for s < n, a warp each; what it gives is in a[s] for all threads of the block afterwards.
template <class T, class F>
__device__ void by_warps(T* a, int64_t n, const F& f) {
  for (int64_t s = threadIdx.x / gpu::warp; s < n; s += blockDim.x / gpu::warp) {
    const T x = f(s);
    if (threadIdx.x % gpu::warp == 0) a[s] = x;
  }
  __syncthreads();
}

// Scores to weights, by all threads of the block that then see them; `memory` as for block_reduce.
template <class T>
__device__ void block_softmax(T* a, int64_t n, T* memory) {
  T top = -static_cast<T>(INFINITY);
  for (int64_t s = threadIdx.x; s < n; s += blockDim.x) top = gpu::Larger{}(a[s], top);
  top = gpu::block_reduce(top, memory, gpu::Larger{});
  T total = 0;
  for (int64_t s = threadIdx.x; s < n; s += blockDim.x) total += a[s] = fast_exp(a[s] - top);
  total = gpu::block_reduce(total, memory, gpu::Plus{});
  for (int64_t s = threadIdx.x; s < n; s += blockDim.x) a[s] /= total;
  __syncthreads();
}

// Gradients ds of weights a to gradients of scores: a∘(ds − Σ a·ds). The block's threads see them afterwards.
template <class T>
__device__ void block_softmax_grad(const T* a, T* ds, int64_t n, T* memory) {
  T sum = 0;
  for (int64_t s = threadIdx.x; s < n; s += blockDim.x) sum += a[s] * ds[s];
  sum = gpu::block_reduce(sum, memory, gpu::Plus{});
  for (int64_t s = threadIdx.x; s < n; s += blockDim.x) ds[s] = a[s] * (ds[s] - sum);
  __syncthreads();
}

}  // namespace seqgrad

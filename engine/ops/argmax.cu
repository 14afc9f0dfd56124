// One block a row.
#include "engine/ops/argmax.h"

#include <cmath>

#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

constexpr int threads = 256;

template <class T>
struct MaxAt {
  T top;
  int64_t index;

  __device__ MaxAt operator+(const MaxAt& o) const {
    return o.top > top || (o.top == top && o.index < index) ? o : *this;
  }
};

template <class T>
__global__ void argmax_kernel(kernels::Argmax<T> k) {
  const int64_t n = blockIdx.x;
  if (k.given && k.given[n] >= 0) {
    if (threadIdx.x == 0) k.y[n] = k.given[n];
    return;
  }
  const T* x = k.x + n * k.classes;
  MaxAt<T> best{-static_cast<T>(INFINITY), k.first};
  for (int64_t v = k.first + threadIdx.x; v < k.classes; v += blockDim.x)
    if (x[v] > best.top) best = {x[v], v};
  best = gpu::block_reduce(best, gpu::shared_memory<MaxAt<T>>(), gpu::Plus{});
  if (threadIdx.x == 0) k.y[n] = static_cast<int32_t>(best.index);
}
template <class T>
void argmax_cuda(const kernels::Argmax<T>& k) {
  gpu::launch(argmax_kernel<T>, k.rows, threads, threads / gpu::warp * sizeof(MaxAt<T>), gpu::stream(), k);
}

const bool installed = install<Device::cuda>(kernels::argmax<float>, argmax_cuda<float>) &&
                       install<Device::cuda>(kernels::argmax<double>, argmax_cuda<double>);

}  // namespace
}  // namespace seqgrad

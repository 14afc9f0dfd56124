// Sums of all elements: one block, float64, in the order of its threads.
#include "engine/ops/reduce.h"

#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

constexpr int threads = 256;

template <class T>
__global__ void sum_kernel(kernels::Sum<T> k) {
  double total = 0;
  for (int64_t i = threadIdx.x; i < k.n; i += blockDim.x) total += static_cast<double>(k.x[i]);
  total = gpu::block_reduce(total, gpu::shared_memory<double>(), gpu::Plus{});
  if (threadIdx.x == 0) *k.y = static_cast<T>(k.scale * total);
}
template <class T>
void sum_cuda(const kernels::Sum<T>& k) {
  gpu::launch(sum_kernel<T>, 1, threads, threads / gpu::warp * sizeof(double), gpu::stream(), k);
}

template <class T>
__global__ void sum_grad_kernel(kernels::SumGrad<T> k) {
  const T g = static_cast<T>(k.scale * static_cast<double>(*k.dy));
  for (int64_t i = gpu::index(); i < k.n; i += gpu::step()) k.dx[i] = g;
}
template <class T>
void sum_grad_cuda(const kernels::SumGrad<T>& k) {
  gpu::launch(sum_grad_kernel<T>, gpu::blocks_for(k.n, threads), threads, 0, gpu::stream(), k);
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::sum<T>, sum_cuda<T>) &&
         install<Device::cuda>(kernels::sum_grad<T>, sum_grad_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad

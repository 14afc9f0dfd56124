// Beside the GEMM, which is the device's: the bias of a linear layer and its gradient.
#include "engine/ops/matmul.h"

#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

constexpr int threads = 256;

template <class T>
__global__ void fill_rows_kernel(kernels::AddRows<T> k) {
  for (int64_t i = gpu::index(); i < k.rows * k.n; i += gpu::step()) k.x[i] = k.row[i % k.n];
}
template <class T>
void fill_rows_cuda(const kernels::AddRows<T>& k) {
  gpu::launch(fill_rows_kernel<T>, gpu::blocks_for(k.rows * k.n, threads), threads, 0, gpu::stream(), k);
}

// A block owns 32 columns. Its warps take every (warps)th row; their sums are added in the order of the warps.
constexpr int most_warps = 32;

template <class T>
__global__ void __launch_bounds__(most_warps* gpu::warp) sum_rows_kernel(kernels::SumRows<T> k) {
  T* sums = gpu::shared_memory<T>();
  const int64_t lane = threadIdx.x % gpu::warp, w = threadIdx.x / gpu::warp, warps = blockDim.x / gpu::warp;
  const int64_t column = static_cast<int64_t>(blockIdx.x) * gpu::warp + lane;
  T sum = 0;
  if (column < k.n)
    for (int64_t r = w; r < k.rows; r += warps) sum += k.x[r * k.stride + column];
  sums[threadIdx.x] = sum;
  __syncthreads();
  if (w != 0 || column >= k.n) return;
  T total = k.sum[column];
  for (int64_t i = 0; i < warps; ++i) total += sums[i * gpu::warp + lane];
  k.sum[column] = total;
}
template <class T>
void sum_rows_cuda(const kernels::SumRows<T>& k) {
  const int warps = k.rows >= 512 ? most_warps : 8;
  gpu::launch(sum_rows_kernel<T>, (k.n + gpu::warp - 1) / gpu::warp, warps * gpu::warp,
              static_cast<size_t>(warps * gpu::warp) * sizeof(T), gpu::stream(), k);
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::fill_rows<T>, fill_rows_cuda<T>) &&
         install<Device::cuda>(kernels::sum_rows<T>, sum_rows_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad

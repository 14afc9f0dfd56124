// Beside the GEMM, which is the device's: the gradient of a bias.
#include "engine/ops/matmul.h"

#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

// A block owns 32 columns. Its warps take every (warps)th row; their sums are added in the order of the warps.
constexpr int most_warps = 32;

template <class T>
__global__ void __launch_bounds__(most_warps* gpu::warp) sum_rows_kernel(kernels::SumRows<T> k) {
  T* sums = gpu::shared_memory<T>();
  const int64_t lane = threadIdx.x % gpu::warp, w = threadIdx.x / gpu::warp, warps = blockDim.x / gpu::warp;
  const int64_t column = static_cast<int64_t>(blockIdx.x) * gpu::warp + lane;
  T sum = 0;
  if (column < k.x.cols)
    for (int64_t r = w; r < k.x.rows; r += warps) sum += k.x.data[r * k.x.ld + column];
  sums[threadIdx.x] = sum;
  __syncthreads();
  if (w != 0 || column >= k.x.cols) return;
  T total = k.sum[column];
  for (int64_t i = 0; i < warps; ++i) total += sums[i * gpu::warp + lane];
  k.sum[column] = total;
}
template <class T>
void sum_rows_cuda(const kernels::SumRows<T>& k) {
  const int warps = k.x.rows >= 512 ? most_warps : 8;
  gpu::launch(sum_rows_kernel<T>, (k.x.cols + gpu::warp - 1) / gpu::warp, warps * gpu::warp,
              static_cast<size_t>(warps * gpu::warp) * sizeof(T), gpu::stream(), k);
}

const bool installed = install<Device::cuda>(kernels::sum_rows<float>, sum_rows_cuda<float>) &&
                       install<Device::cuda>(kernels::sum_rows<double>, sum_rows_cuda<double>);

}  // namespace
}  // namespace seqgrad

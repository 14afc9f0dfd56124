// Softmax and its gradient: one block a row, statistics in the row's precision, sums in float64.
#include "engine/ops/softmax.h"

#include <cmath>

#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

constexpr int most_threads = 512;

int threads_for(int64_t n) { return n <= 128 ? 32 : n <= 1024 ? 128 : most_threads; }
size_t shared_for(int threads) { return static_cast<size_t>(threads / gpu::warp) * sizeof(double); }

template <class T>
__global__ void __launch_bounds__(most_threads) softmax_kernel(kernels::Softmax<T> k) {
  const int64_t row = blockIdx.x, n = k.lengths ? k.lengths[row] : k.n;
  const T* x = k.x + row * k.n;
  T* y = k.y + row * k.n;
  T top = -static_cast<T>(INFINITY);
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) top = gpu::Larger{}(x[i], top);
  top = gpu::block_reduce(top, gpu::shared_memory<T>(), gpu::Larger{});
  double total = 0;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) total += static_cast<double>(std::exp(x[i] - top));
  total = gpu::block_reduce(total, gpu::shared_memory<double>(), gpu::Plus{});
  const bool none = !(top - top == 0);  // no distribution: all NaN, as inf − inf is
  const T log_total = static_cast<T>(std::log(total)), scale = static_cast<T>(1 / total);
  for (int64_t i = threadIdx.x; i < k.n; i += blockDim.x)
    y[i] = i >= n ? T{0} : none ? top - top : k.log ? x[i] - top - log_total : std::exp(x[i] - top) * scale;
}
template <class T>
void softmax_cuda(const kernels::Softmax<T>& k) {
  const int threads = threads_for(k.n);
  gpu::launch(softmax_kernel<T>, k.rows, threads, shared_for(threads), gpu::stream(), k);
}

template <class T>
__global__ void __launch_bounds__(most_threads) softmax_grad_kernel(kernels::SoftmaxGrad<T> k) {
  const int64_t row = blockIdx.x, n = k.lengths ? k.lengths[row] : k.n;
  const T *y = k.y + row * k.n, *dy = k.dy + row * k.n;
  T* dx = k.dx + row * k.n;
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += static_cast<double>(k.log ? dy[i] : y[i] * dy[i]);
  const T dot = static_cast<T>(gpu::block_reduce(sum, gpu::shared_memory<double>(), gpu::Plus{}));
  for (int64_t i = threadIdx.x; i < k.n; i += blockDim.x)
    dx[i] = T{0} + (i >= n ? T{0} : k.log ? dy[i] - std::exp(y[i]) * dot : y[i] * (dy[i] - dot));
}
template <class T>
void softmax_grad_cuda(const kernels::SoftmaxGrad<T>& k) {
  const int threads = threads_for(k.n);
  gpu::launch(softmax_grad_kernel<T>, k.rows, threads, shared_for(threads), gpu::stream(), k);
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::softmax<T>, softmax_cuda<T>) &&
         install<Device::cuda>(kernels::softmax_grad<T>, softmax_grad_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad

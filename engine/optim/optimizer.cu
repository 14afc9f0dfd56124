// The optimisers' passes over flat buffers, and the norm of all gradients in two fixed stages.
#include "engine/optim/optimizer.h"

#include <cmath>

#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

constexpr int threads = 256;
constexpr size_t shared = threads / gpu::warp * sizeof(double);

template <class T>
__global__ void adam_kernel(kernels::Adam<T> k) {
  if (k.state && k.state->stopped) return;
  const auto step = kernels::AdamStep<T>::of(k);
  const T scale = k.state ? static_cast<T>(k.state->scale) : T{1};
  for (int64_t i = gpu::index(); i < k.n; i += gpu::step()) step.update(k.x[i], k.m[i], k.v[i], k.g[i] * scale);
}
template <class T>
void adam_cuda(const kernels::Adam<T>& k) {
  gpu::launch(adam_kernel<T>, gpu::blocks_for(k.n, threads), threads, 0, gpu::stream(), k);
}

template <class T>
__global__ void sgd_kernel(kernels::Sgd<T> k) {
  if (k.state && k.state->stopped) return;
  const T lr = static_cast<T>(k.numbers[sgd_lr]), momentum = static_cast<T>(k.numbers[sgd_momentum]),
          decay = static_cast<T>(k.decay), scale = k.state ? static_cast<T>(k.state->scale) : T{1};
  for (int64_t i = gpu::index(); i < k.n; i += gpu::step()) {
    T g = k.g[i] * scale + decay * k.x[i];
    if (k.momentum != 0) g = k.m[i] = momentum != 0 ? momentum * k.m[i] + g : g;
    k.x[i] -= lr * g;
  }
}
template <class T>
void sgd_cuda(const kernels::Sgd<T>& k) {
  gpu::launch(sgd_kernel<T>, gpu::blocks_for(k.n, threads), threads, 0, gpu::stream(), k);
}

// Sums of squares of every (blocks)th range; the second stage, one block, adds those up.
template <class T>
__global__ void squares_kernel(const T* x, int64_t n, double* sums) {
  double sum = 0;
  for (int64_t i = gpu::index(); i < n; i += gpu::step()) {
    const double v = static_cast<double>(x[i]);
    sum += v * v;
  }
  sum = gpu::block_reduce(sum, gpu::shared_memory<double>(), gpu::Plus{});
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}
struct PartialSums {
  double* first;  // in device memory
  int64_t count;
};
template <class T>
PartialSums squares(const T* x, int64_t n) {
  constexpr int64_t max_blocks = 1024;
  const int64_t blocks = std::min(max_blocks, (n + threads - 1) / threads);
  const PartialSums sums{Tape::current().scratch<double>(blocks, Device::cuda), blocks};
  gpu::launch(squares_kernel<T>, blocks, threads, shared, gpu::stream(), x, n, sums.first);
  return sums;
}
// By one block, to all of it.
__device__ double total(const double* sums, int64_t n) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += sums[i];
  return gpu::block_reduce(sum, gpu::shared_memory<double>(), gpu::Plus{});
}

__global__ void total_kernel(double* sums, int64_t n) {
  const double sum = total(sums, n);
  if (threadIdx.x == 0) sums[0] = sum;
}
template <class T>
void sum_squares_cuda(const kernels::SumSquares<T>& k) {
  *k.sum = 0;
  if (k.n == 0) return;
  const PartialSums sums = squares(k.x, k.n);
  gpu::launch(total_kernel, 1, threads, shared, gpu::stream(), sums.first, sums.count);
  backend(Device::cuda).download(k.sum, sums.first, sizeof(double));
}

__global__ void state_kernel(const double* sums, int64_t n, double clip, GradientState* state) {
  const double norm = std::sqrt(total(sums, n));
  if (threadIdx.x != 0) return;
  state->norm = norm;
  state->scale = norm > clip ? clip / norm : 1;
  if (!(norm < INFINITY)) state->stopped = 1;
}
template <class T>
void measure_gradient_cuda(const kernels::MeasureGradient<T>& k) {
  const PartialSums sums = squares(k.g, k.n);
  gpu::launch(state_kernel, 1, threads, shared, gpu::stream(), sums.first, sums.count, k.clip, k.state);
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::adam<T>, adam_cuda<T>) && install<Device::cuda>(kernels::sgd<T>, sgd_cuda<T>) &&
         install<Device::cuda>(kernels::sum_squares<T>, sum_squares_cuda<T>) &&
         install<Device::cuda>(kernels::measure_gradient<T>, measure_gradient_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad

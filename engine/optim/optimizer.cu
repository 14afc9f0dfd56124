// The optimisers' passes over flat buffers, and the norm of all gradients in two fixed stages.
#include "engine/optim/optimizer.h"

#include <cmath>

#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

constexpr int threads = 256;

// What Adam's pass needs beside the buffers, in the precision that it computes in.
template <class T>
struct AdamStep {
  T beta1, beta2, rest1, rest2, decay, shrink, step, root, eps;
};

template <class T>
__global__ void adam_kernel(kernels::Adam<T> k, AdamStep<T> s) {
  for (int64_t i = gpu::index(); i < k.n; i += gpu::step()) {
    const T x = k.x[i] * s.shrink, g = k.g[i] + s.decay * k.x[i];
    const T m = s.beta1 * k.m[i] + s.rest1 * g, v = s.beta2 * k.v[i] + s.rest2 * g * g;
    k.m[i] = m;
    k.v[i] = v;
    k.x[i] = x - s.step * m / (std::sqrt(v) * s.root + s.eps);
  }
}
template <class T>
void adam_cuda(const kernels::Adam<T>& k) {
  const auto as = [](double x) { return static_cast<T>(x); };
  const AdamStep<T> s{as(k.beta1),
                      as(k.beta2),
                      as(1 - k.beta1),
                      as(1 - k.beta2),
                      as(k.decoupled ? 0 : k.decay),
                      as(k.decoupled ? 1 - k.lr * k.decay : 1),
                      as(k.lr / k.correction1),
                      as(1 / std::sqrt(k.correction2)),
                      as(k.eps)};
  gpu::launch(adam_kernel<T>, gpu::blocks_for(k.n, threads), threads, 0, gpu::stream(), k, s);
}

template <class T>
__global__ void sgd_kernel(kernels::Sgd<T> k, T lr, T momentum, T decay) {
  for (int64_t i = gpu::index(); i < k.n; i += gpu::step()) {
    T g = k.g[i] + decay * k.x[i];
    if (momentum != 0) g = k.m[i] = k.first ? g : momentum * k.m[i] + g;
    k.x[i] -= lr * g;
  }
}
template <class T>
void sgd_cuda(const kernels::Sgd<T>& k) {
  gpu::launch(sgd_kernel<T>, gpu::blocks_for(k.n, threads), threads, 0, gpu::stream(), k, static_cast<T>(k.lr),
              static_cast<T>(k.momentum), static_cast<T>(k.decay));
}

template <class T>
__global__ void scale_kernel(T* x, int64_t n, T factor) {
  for (int64_t i = gpu::index(); i < n; i += gpu::step()) x[i] *= factor;
}
template <class T>
void scale_cuda(const kernels::ScaleInPlace<T>& k) {
  gpu::launch(scale_kernel<T>, gpu::blocks_for(k.n, threads), threads, 0, gpu::stream(), k.x, k.n,
              static_cast<T>(k.factor));
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
__global__ void total_kernel(double* sums, int64_t n) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += sums[i];
  sum = gpu::block_reduce(sum, gpu::shared_memory<double>(), gpu::Plus{});
  if (threadIdx.x == 0) sums[0] = sum;
}
template <class T>
void sum_squares_cuda(const kernels::SumSquares<T>& k) {
  *k.sum = 0;
  if (k.n == 0) return;
  constexpr int64_t most = 1024;
  const int64_t blocks = std::min(most, (k.n + threads - 1) / threads);
  double* sums = Tape::current().scratch<double>(blocks, Device::cuda);
  constexpr size_t shared = threads / gpu::warp * sizeof(double);
  gpu::launch(squares_kernel<T>, blocks, threads, shared, gpu::stream(), k.x, k.n, sums);
  gpu::launch(total_kernel, 1, threads, shared, gpu::stream(), sums, blocks);
  backend(Device::cuda).download(k.sum, sums, sizeof(double));
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::adam<T>, adam_cuda<T>) && install<Device::cuda>(kernels::sgd<T>, sgd_cuda<T>) &&
         install<Device::cuda>(kernels::scale_in_place<T>, scale_cuda<T>) &&
         install<Device::cuda>(kernels::sum_squares<T>, sum_squares_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad

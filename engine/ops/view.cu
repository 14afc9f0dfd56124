// Copies between strided places; nothing is added up, so every element has one thread.
#include "engine/ops/view.h"

#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

constexpr int threads = 256;

template <class T>
__global__ void move_strided_kernel(kernels::MoveStrided<T> k) {
  for (int64_t i = gpu::index(); i < k.rows * k.width; i += gpu::step()) {
    const int64_t r = i / k.width, c = i % k.width;
    T& y = k.y[r * k.y_stride + c];
    const T x = k.x[r * k.x_stride + c];
    y = k.accumulate ? y + x : x;
  }
}
template <class T>
void move_strided_cuda(const kernels::MoveStrided<T>& k) {
  gpu::launch(move_strided_kernel<T>, gpu::blocks_for(k.rows * k.width, threads), threads, 0, gpu::stream(), k);
}

const bool installed = install<Device::cuda>(kernels::move_strided<float>, move_strided_cuda<float>) &&
                       install<Device::cuda>(kernels::move_strided<double>, move_strided_cuda<double>);

}  // namespace
}  // namespace seqgrad

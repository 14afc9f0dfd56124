// Copies between strided places; nothing is added up, so every element has one thread.
#include "engine/ops/view.h"

#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

constexpr int threads = 256;

template <class T>
__global__ void add_strided_kernel(kernels::AddStrided<T> k) {
  for (int64_t i = gpu::index(); i < k.rows * k.width; i += gpu::step()) {
    const int64_t r = i / k.width, c = i % k.width;
    k.y[r * k.y_stride + c] += k.x[r * k.x_stride + c];
  }
}
template <class T>
void add_strided_cuda(const kernels::AddStrided<T>& k) {
  gpu::launch(add_strided_kernel<T>, gpu::blocks_for(k.rows * k.width, threads), threads, 0, gpu::stream(), k);
}

const bool installed = install<Device::cuda>(kernels::add_strided<float>, add_strided_cuda<float>) &&
                       install<Device::cuda>(kernels::add_strided<double>, add_strided_cuda<double>);

}  // namespace
}  // namespace seqgrad

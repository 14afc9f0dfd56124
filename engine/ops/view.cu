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

template <class T>
__global__ void select_steps_kernel(kernels::SelectSteps<T> k) {
  for (int64_t i = gpu::index(); i < k.batch * k.width; i += gpu::step()) {
    const int64_t b = i / k.width, wide = (b * k.steps + k.at[b]) * k.width + i % k.width;
    k.y[k.scatter ? wide : i] += k.x[k.scatter ? i : wide];
  }
}
template <class T>
void select_steps_cuda(const kernels::SelectSteps<T>& k) {
  gpu::launch(select_steps_kernel<T>, gpu::blocks_for(k.batch * k.width, threads), threads, 0, gpu::stream(), k);
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::add_strided<T>, add_strided_cuda<T>) &&
         install<Device::cuda>(kernels::select_steps<T>, select_steps_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad

// The mask of the CPU: the same words of the same counter, four units a draw.
#include "engine/ops/dropout.h"

#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

constexpr int threads = 128;

template <class T>
__global__ void dropout_kernel(kernels::Dropout<T> k, uint32_t below, T keep) {
  const int64_t groups = (k.width + 3) / 4;
  for (int64_t i = gpu::index(); i < k.batch * k.steps * groups; i += gpu::step()) {
    const int64_t row = i / groups, group = i % groups;
    const auto words = dropout_words(*k.draw, k.site, row / k.steps, k.variational ? 0 : row % k.steps, group);
    for (int64_t j = 0; j < 4 && group * 4 + j < k.width; ++j) {
      const int64_t at = row * k.width + group * 4 + j;
      k.y[at] = words[static_cast<size_t>(j)] >= below ? T{0} + k.x[at] * keep : T{0};
    }
  }
}
template <class T>
void dropout_cuda(const kernels::Dropout<T>& k) {
  gpu::launch(dropout_kernel<T>, gpu::blocks_for(k.batch * k.steps * ((k.width + 3) / 4), threads), threads, 0,
              gpu::stream(), k, dropout_threshold(k.rate), static_cast<T>(1 / (1 - k.rate)));
}

const bool installed = install<Device::cuda>(kernels::dropout<float>, dropout_cuda<float>) &&
                       install<Device::cuda>(kernels::dropout<double>, dropout_cuda<double>);

}  // namespace
}  // namespace seqgrad

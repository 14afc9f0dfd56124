// Every element has one thread.
#include "engine/ops/last_states.h"

#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

constexpr int threads = 256;

// Where element i of [B,W] comes from in [B,T,W]; of a sentence that is not empty.
template <class K>
__device__ int64_t source_index(const K& k, int64_t b, int64_t c) {
  return (b * k.steps + (c < k.forwards ? k.lengths[b] - 1 : 0)) * k.width + c;
}

template <class T>
__global__ void last_states_kernel(kernels::LastStates<T> k) {
  for (int64_t i = gpu::index(); i < k.batch * k.width; i += gpu::step()) {
    const int64_t b = i / k.width, c = i % k.width;
    k.y[i] = k.lengths[b] > 0 ? k.x[source_index(k, b, c)] : T{0};
  }
}
template <class T>
__global__ void last_states_grad_kernel(kernels::LastStatesGrad<T> k) {
  for (int64_t i = gpu::index(); i < k.batch * k.width; i += gpu::step()) {
    const int64_t b = i / k.width, c = i % k.width;
    if (k.lengths[b] > 0) k.dx[source_index(k, b, c)] += k.dy[i];
  }
}

template <class T>
void last_states_cuda(const kernels::LastStates<T>& k) {
  gpu::launch(last_states_kernel<T>, gpu::blocks_for(k.batch * k.width, threads), threads, 0, gpu::stream(), k);
}
template <class T>
void last_states_grad_cuda(const kernels::LastStatesGrad<T>& k) {
  gpu::launch(last_states_grad_kernel<T>, gpu::blocks_for(k.batch * k.width, threads), threads, 0, gpu::stream(), k);
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::last_states<T>, last_states_cuda<T>) &&
         install<Device::cuda>(kernels::last_states_grad<T>, last_states_grad_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad

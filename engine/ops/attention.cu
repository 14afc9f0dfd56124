// Attention over true lengths: forward and the gradients of query and scores by target position, those of keys and
// values by source position, so that each number is added up by one thread, in one order. Padding is not read.
#include "engine/ops/attention.h"

#include "engine/ops/attention_scores.cuh"

namespace seqgrad {
namespace {

constexpr int threads = 256, warps = threads / gpu::warp;
constexpr size_t shared = warps * sizeof(double);

// One block for each target position (b,t).
template <class T>
__global__ void attention_kernel(kernels::Attention<T> k) {
  const int64_t bt = blockIdx.x, from = k.sentence(bt / k.steps), n = k.lengths[from], d = k.key_width,
                c = k.value_width;
  const T *q = k.query + bt * d, *keys = k.keys + from * k.source * d, *values = k.values + from * k.source * c;
  T *a = k.weights + bt * k.source, *context = k.context + bt * c, *memory = gpu::shared_memory<T>();
  for (int64_t s = n + threadIdx.x; s < k.source; s += threads) a[s] = 0;
  by_warps(a, n, [&](int64_t s) {
    return k.v ? warp_additive_score(q, keys + s * d, k.v, d) : warp_dot(q, keys + s * d, d);
  });
  block_softmax(a, n, memory);
  for (int64_t i = threadIdx.x; i < c; i += threads) {
    T sum = 0;
    for (int64_t s = 0; s < n; ++s) sum += a[s] * values[s * c + i];
    context[i] = sum;
  }
}
template <class T>
void attention_cuda(const kernels::Attention<T>& k) {
  gpu::launch(attention_kernel<T>, k.batch * k.steps, threads, shared, gpu::stream(), k);
}

// One block for each target position: dscores, and dquery (additive: dv as well).
template <class T>
__global__ void attention_grad_target_kernel(kernels::AttentionGrad<T> k) {
  const int64_t bt = blockIdx.x, b = bt / k.steps, n = k.lengths[b], d = k.key_width, c = k.value_width;
  if (n == 0) return;
  const T *a = k.weights + bt * k.source, *dc = k.dcontext + bt * c, *q = k.query + bt * d,
          *keys = k.keys + b * k.source * d, *values = k.values + b * k.source * c;
  T* ds = k.dscores + bt * k.source;
  by_warps(ds, n, [&](int64_t s) { return warp_dot(dc, values + s * c, c); });
  block_softmax_grad(a, ds, n, gpu::shared_memory<T>());
  for (int64_t i = threadIdx.x; i < d; i += threads) {
    T dq = 0, dv = 0;
    for (int64_t s = 0; s < n; ++s) {
      if (k.v) {
        const T th = fast_tanh(q[i] + keys[s * d + i]);
        dq += ds[s] * k.v[i] * (1 - th * th);
        dv += ds[s] * th;
      } else {
        dq += ds[s] * keys[s * d + i];
      }
    }
    if (k.dquery) k.dquery[bt * d + i] += dq;
    if (k.dv) k.dv[bt * d + i] += dv;
  }
}

// One block for each source position (b,s): dkeys and dvalues.
template <class T>
__global__ void attention_grad_source_kernel(kernels::AttentionGrad<T> k) {
  const int64_t b = blockIdx.x / k.source, s = blockIdx.x % k.source, d = k.key_width, c = k.value_width;
  if (s >= k.lengths[b]) return;
  const int64_t at = b * k.source + s;
  const T *a = k.weights + b * k.steps * k.source + s, *ds = k.dscores + b * k.steps * k.source + s,
          *q = k.query + b * k.steps * d, *dc = k.dcontext + b * k.steps * c;
  for (int64_t i = threadIdx.x; k.dkeys && i < d; i += threads) {
    T sum = 0;
    for (int64_t t = 0; t < k.steps; ++t) {
      T slope = q[t * d + i];
      if (k.v) {
        const T th = fast_tanh(slope + k.keys[at * d + i]);
        slope = k.v[i] * (1 - th * th);
      }
      sum += ds[t * k.source] * slope;
    }
    k.dkeys[at * d + i] += sum;
  }
  for (int64_t i = threadIdx.x; k.dvalues && i < c; i += threads) {
    T sum = 0;
    for (int64_t t = 0; t < k.steps; ++t) sum += a[t * k.source] * dc[t * c + i];
    k.dvalues[at * c + i] += sum;
  }
}
template <class T>
void attention_grad_cuda(const kernels::AttentionGrad<T>& k) {
  gpu::launch(attention_grad_target_kernel<T>, k.batch * k.steps, threads, shared, gpu::stream(), k);
  gpu::launch(attention_grad_source_kernel<T>, k.batch * k.source, threads, 0, gpu::stream(), k);
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::attention<T>, attention_cuda<T>) &&
         install<Device::cuda>(kernels::attention_grad<T>, attention_grad_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad

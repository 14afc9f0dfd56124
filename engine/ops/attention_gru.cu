// A step is one product and one kernel, forwards and back: a block attends for its sentence and makes its state. What
// does not depend on the step before is made of all steps at once.
#include "engine/ops/attention_gru.h"

#include "engine/device/gemm.h"
#include "engine/ops/attention_scores.cuh"
#include "engine/ops/gru_unit.cuh"

namespace seqgrad {
namespace {

constexpr int min_threads = 256, max_threads = 512;
constexpr size_t reduced = max_threads / gpu::warp * sizeof(double);

// A function of the layer's size alone.
int threads_for(const kernels::AttentionGruSizes& size) {
  return size.hidden <= min_threads ? min_threads : max_threads;
}

// Row `row` of what the step gives, from gates_hh [B,3H+D] = h·[W_hh W_q] and the states `h_prev` [B,H] to `state`.
// Query and weights are held in shared memory where a block can have as much; else they stay where they go to.
template <class T, bool in_shared>
__global__ void __launch_bounds__(max_threads)
    step_kernel(kernels::AttentionGru<T> k, int64_t t, T* gates_hh, const T* h_prev, T* state) {
  const kernels::AttentionGruSizes& size = k.size;
  const int64_t b = blockIdx.x, row = b * size.steps + t, h = size.hidden, d = size.key_width, s = size.source,
                n = k.source_lengths[b];
  h_prev += b * h;
  state += b * h;
  T *y = k.y + row * size.out(), *weights = k.weights + row * s;
  const bool padding = t >= k.lengths[b];
  for (int64_t i = threadIdx.x + (padding ? 0 : n); i < s; i += blockDim.x) weights[i] = 0;
  if (padding) {
    for (int64_t i = threadIdx.x; i < h; i += blockDim.x) {
      y[i] = 0;
      if (k.h_prev) k.h_prev[row * h + i] = 0;
      state[i] = h_prev[i];
    }
    for (int64_t i = threadIdx.x; k.query && i < d; i += blockDim.x) k.query[row * d + i] = 0;
    return;
  }
  T *memory = gpu::shared_memory<T>(), *gh = gates_hh + b * size.fused_width();
  T *q = in_shared ? memory + reduced / sizeof(T) : gh + 3 * h, *a = in_shared ? q + d : weights;
  for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
    q[i] = gh[3 * h + i] + k.b_query[i];
    if (k.query) k.query[row * d + i] = q[i];
  }
  __syncthreads();  // the query is there
  by_warps(a, n, [&](int64_t i) { return warp_additive_score(q, k.keys + (b * s + i) * d, k.v, d); });
  block_softmax(a, n, memory);
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) weights[i] = a[i];
  const T *projected = k.projected + b * s * 3 * h, *gx = k.gx + row * 3 * h;
  for (int64_t i = threadIdx.x; i < h; i += blockDim.x) {
    T r = gx[i], z = gx[h + i], x = gx[2 * h + i];
    for (int64_t j = 0; j < n; ++j) {
      const T* p = projected + j * 3 * h + i;
      r += a[j] * p[0];
      z += a[j] * p[h];
      x += a[j] * p[2 * h];
    }
    const GruUnit<T> unit(r + gh[i] + k.b_hh[i], z + gh[h + i] + k.b_hh[h + i], x, gh[2 * h + i] + k.b_hh[2 * h + i]);
    if (k.h_prev) k.h_prev[row * h + i] = h_prev[i];
    if (k.saved_gates) unit.save(k.saved_gates + row * h + i, size.batch * size.steps * h);
    y[i] = state[i] = unit.state(h_prev[i]);
  }
}

template <class T>
void attention_gru_cuda(const kernels::AttentionGru<T>& k) {
  const int64_t batch = k.size.batch, steps = k.size.steps, source = k.size.source, h = k.size.hidden,
                d = k.size.key_width, c = k.size.value_width, fused_width = k.size.fused_width(), out = k.size.out();
  Tape& tape = Tape::current();
  T *state = tape.scratch<T>(batch * h, Device::cuda), *gates_hh = tape.scratch<T>(batch * fused_width, Device::cuda);
  const size_t shared_bytes = reduced + static_cast<size_t>(d + source) * sizeof(T);
  const bool in_shared = shared_bytes <= gpu::most_shared_memory();
  for (int64_t t = 0; t < steps; ++t) {
    const T* h_prev = t == 0 ? k.h0 : state;
    kernels::gemm<T>(Device::cuda, {Matrix{h_prev, batch, h}, k.w, Matrix{gates_hh, batch, fused_width}, false});
    gpu::launch(in_shared ? step_kernel<T, true> : step_kernel<T, false>, batch, threads_for(k.size),
                in_shared ? shared_bytes : reduced, gpu::stream(), k, t, gates_hh, h_prev, state);
  }
  kernels::gemm<T>(Device::cuda, {Matrix{k.weights, steps, source},
                                  Matrix{k.values, source, c},
                                  Matrix{k.y + h, steps, c, out},
                                  false,
                                  {batch, steps * source, source * c, steps * out}});
}

// One step back, the last first: from dh [B,H], the gradient of the state after it, to what of it passes the gate z, in
// the first step's case in dh0; the rest follows through the product with W. dscores begins with the gradients of
// weights by the contexts of y. What is held in shared memory, where a block can have as much, are the gradients of
// gates and scores.
template <class T, bool in_shared>
__global__ void __launch_bounds__(max_threads) step_grad_kernel(kernels::AttentionGruGrad<T> k, int64_t t, T* dh) {
  const kernels::AttentionGruSizes& size = k.size;
  const int64_t b = blockIdx.x, row = b * size.steps + t, h = size.hidden, d = size.key_width, s = size.source,
                n = k.source_lengths[b];
  const bool last = t == size.steps - 1;
  T *dgx = k.dgx + row * 3 * h, *dgates_hh = k.dgates_hh + row * size.fused_width(), *dscores = k.dscores + row * s;
  dh += b * h;
  const auto dh_next = [&](int64_t i) { return last ? T{0} : dh[i]; };
  const auto pass = [&](int64_t i, T x) {
    if (t > 0)
      dh[i] = x;
    else if (k.dh0)
      k.dh0[b * h + i] += x;
  };
  if (t >= k.lengths[b]) {
    for (int64_t i = threadIdx.x; i < 3 * h; i += blockDim.x) dgx[i] = 0;
    for (int64_t i = threadIdx.x; i < size.fused_width(); i += blockDim.x) dgates_hh[i] = 0;
    for (int64_t i = threadIdx.x; i < h; i += blockDim.x) pass(i, T{0});  // nothing comes from behind
    return;
  }
  T *memory = gpu::shared_memory<T>(), *dg = in_shared ? memory + reduced / sizeof(T) : dgx,
    *ds = in_shared ? dg + 3 * h : dscores;
  const T* dy = k.dy + row * size.out();
  for (int64_t i = threadIdx.x; i < h; i += blockDim.x) {
    const GruUnit<T> unit(k.saved_gates + row * h + i, size.batch * size.steps * h);
    const GruUnitGrad<T> g(unit, k.h_prev[row * h + i], dh_next(i) + dy[i]);
    dg[i] = dgx[i] = dgates_hh[i] = g.dr;
    dg[h + i] = dgx[h + i] = dgates_hh[h + i] = g.dz;
    dg[2 * h + i] = dgx[2 * h + i] = g.dn;
    dgates_hh[2 * h + i] = g.dhn_proj;
    pass(i, g.dh_prev);
  }
  __syncthreads();  // dg is there
  by_warps(ds, n, [&](int64_t i) { return dscores[i] + warp_dot(dg, k.projected + (b * s + i) * 3 * h, 3 * h); });
  block_softmax_grad(k.weights + row * s, ds, n, memory);
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) dscores[i] = ds[i];
  for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
    const T q = k.query[row * d + i];
    T dq = 0, dv = 0;
    for (int64_t j = 0; j < n; ++j) {
      const T th = fast_tanh(q + k.keys[(b * s + j) * d + i]);
      dq += ds[j] * (1 - th * th);
      dv += ds[j] * th;
    }
    dgates_hh[3 * h + i] = k.v[i] * dq;
    k.dv[b * d + i] += dv;
  }
}

// One block for each source position.
template <class T>
__global__ void keys_grad_kernel(kernels::AttentionGruGrad<T> k) {
  const kernels::AttentionGruSizes& size = k.size;
  const int64_t s = size.source, d = size.key_width, b = blockIdx.x / s, j = blockIdx.x % s, at = blockIdx.x * d;
  if (j >= k.source_lengths[b]) return;
  for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
    T sum = 0;
    for (int64_t row = b * size.steps; row < b * size.steps + k.lengths[b]; ++row) {
      const T th = fast_tanh(k.query[row * d + i] + k.keys[at + i]);
      sum += k.dscores[row * s + j] * (1 - th * th);
    }
    k.dkeys[at + i] += k.v[i] * sum;
  }
}

template <class T>
void attention_gru_grad_cuda(const kernels::AttentionGruGrad<T>& k) {
  const int64_t batch = k.size.batch, steps = k.size.steps, source = k.size.source, h = k.size.hidden,
                c = k.size.value_width, fused_width = k.size.fused_width(), out = k.size.out(),
                weights = steps * source, values = source * c;
  const T* dcontext = k.dy + h;
  T* dh = Tape::current().scratch<T>(batch * h, Device::cuda);
  kernels::gemm<T>(Device::cuda, {Matrix{dcontext, steps, c, out},
                                  Matrix{k.values, source, c}.t(),
                                  Matrix{k.dscores, steps, source},
                                  false,
                                  {batch, steps * out, values, weights}});
  const size_t shared_bytes = reduced + static_cast<size_t>(3 * h + source) * sizeof(T);
  const bool in_shared = shared_bytes <= gpu::most_shared_memory();
  for (int64_t t = steps - 1; t >= 0; --t) {
    gpu::launch(in_shared ? step_grad_kernel<T, true> : step_grad_kernel<T, false>, batch, threads_for(k.size),
                in_shared ? shared_bytes : reduced, gpu::stream(), k, t, dh);
    if (T* to = t > 0 ? dh : k.dh0)
      kernels::gemm<T>(Device::cuda, {Matrix{k.dgates_hh + t * fused_width, batch, fused_width, steps * fused_width},
                                      k.wt, Matrix{to, batch, h}, true});
  }
  gpu::launch(keys_grad_kernel<T>, batch * source, min_threads, 0, gpu::stream(), k);
  const auto by_weights = [&](Matrix<const T> x, T* to, bool accumulate) {  // to [B,S,N] from x [B,T,N]
    kernels::gemm<T>(Device::cuda, {Matrix{k.weights, steps, source}.t(),
                                    x,
                                    Matrix{to, source, x.cols},
                                    accumulate,
                                    {batch, weights, steps * x.ld, source * x.cols}});
  };
  by_weights(Matrix{k.dgx, steps, 3 * h}, k.dprojected, false);
  if (k.dvalues) by_weights(Matrix{dcontext, steps, c, out}, k.dvalues, true);
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::attention_gru<T>, attention_gru_cuda<T>) &&
         install<Device::cuda>(kernels::attention_gru_grad<T>, attention_gru_grad_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad

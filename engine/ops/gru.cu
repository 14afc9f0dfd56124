// A step of a GRU is one product and one kernel; sentences that have ended keep their state.
#include "engine/ops/gru.h"

#include "engine/device/gemm.h"
#include "engine/device/gpu.cuh"
#include "engine/ops/vector_math.h"

namespace seqgrad {
namespace {

constexpr int threads = 128;

// One step of the layer: state [B,H] moves on, gh [B,3H] is state·W without the bias.
template <class T>
__global__ void gru_kernel(kernels::Gru<T> k, int64_t t, T* state, const T* gh) {
  const int64_t h = k.hidden, gate = k.batch * k.steps * h;
  for (int64_t i = gpu::index(); i < k.batch * h; i += gpu::step()) {
    const int64_t b = i / h, j = i % h;
    if (t >= k.lengths[b]) continue;
    const int64_t row = b * k.steps + t, at = row * h + j;
    const T *x = k.gx + row * 3 * h, *g = gh + b * 3 * h;
    const T before = state[i];
    const T r = fast_sigmoid(x[j] + g[j] + k.b[j]);
    const T z = fast_sigmoid(x[h + j] + g[h + j] + k.b[h + j]);
    const T q = g[2 * h + j] + k.b[2 * h + j];
    const T n = fast_tanh(x[2 * h + j] + r * q);
    const T next = (1 - z) * n + z * before;
    state[i] = next;
    k.y[at] = next;
    if (k.before) k.before[at] = before;
    if (!k.gates) continue;
    k.gates[at] = r;
    k.gates[gate + at] = z;
    k.gates[2 * gate + at] = n;
    k.gates[3 * gate + at] = q;
  }
}

template <class T>
void gru_cuda(const kernels::Gru<T>& k) {
  const int64_t h = k.hidden, n = k.batch * h;
  T *state = Tape::current().scratch<T>(n, Device::cuda), *gh = Tape::current().scratch<T>(3 * n, Device::cuda);
  backend(Device::cuda).copy(state, k.h0, static_cast<size_t>(n) * sizeof(T));
  for (int64_t i = 0; i < k.steps; ++i) {
    kernels::gemm<T>(Device::cuda, {false, false, k.batch, 3 * h, h, state, h, k.w, 3 * h, T{0}, gh, 3 * h});
    gpu::launch(gru_kernel<T>, gpu::blocks_for(n, threads), threads, 0, gpu::stream(), k,
                k.reverse ? k.steps - 1 - i : i, state, gh);
  }
}

// One step back: from dh [B,H], the gradient of the state after step t, to dgh and dgx of t and to what of dh passes
// the gate z; the rest reaches dh through the product with W.
template <class T>
__global__ void gru_grad_kernel(kernels::GruGrad<T> k, int64_t t, T* dh) {
  const int64_t h = k.hidden, gate = k.batch * k.steps * h;
  for (int64_t i = gpu::index(); i < k.batch * h; i += gpu::step()) {
    const int64_t b = i / h, j = i % h;
    if (t >= k.lengths[b]) continue;
    const int64_t row = b * k.steps + t, at = row * h + j, gates = row * 3 * h + j;
    const T r = k.gates[at], z = k.gates[gate + at], n = k.gates[2 * gate + at], q = k.gates[3 * gate + at];
    const T d = dh[i] + k.dy[at];
    const T dn = d * (1 - z) * (1 - n * n);
    const T dz = d * (k.before[at] - n) * z * (1 - z);
    const T dr = dn * q * r * (1 - r);
    if (k.dgx) {
      k.dgx[gates] += dr;
      k.dgx[gates + h] += dz;
      k.dgx[gates + 2 * h] += dn;
    }
    k.dgh[gates] = dr;
    k.dgh[gates + h] = dz;
    k.dgh[gates + 2 * h] = dn * r;
    dh[i] = d * z;
  }
}

template <class T>
__global__ void add_kernel(const T* x, T* y, int64_t n) {
  for (int64_t i = gpu::index(); i < n; i += gpu::step()) y[i] += x[i];
}

template <class T>
void gru_grad_cuda(const kernels::GruGrad<T>& k) {
  const int64_t h = k.hidden, n = k.batch * h;
  T* dh = Tape::current().scratch<T>(n, Device::cuda);
  backend(Device::cuda).zero(dh, static_cast<size_t>(n) * sizeof(T));
  for (int64_t i = 0; i < k.steps; ++i) {
    const int64_t t = k.reverse ? i : k.steps - 1 - i;
    gpu::launch(gru_grad_kernel<T>, gpu::blocks_for(n, threads), threads, 0, gpu::stream(), k, t, dh);
    // Rows of sentences that have ended are the zeros of the caller.
    kernels::gemm<T>(Device::cuda,
                     {false, true, k.batch, h, 3 * h, k.dgh + t * 3 * h, k.steps * 3 * h, k.w, 3 * h, T{1}, dh, h});
  }
  if (k.dh0) gpu::launch(add_kernel<T>, gpu::blocks_for(n, threads), threads, 0, gpu::stream(), dh, k.dh0, n);
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::gru<T>, gru_cuda<T>) &&
         install<Device::cuda>(kernels::gru_grad<T>, gru_grad_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad

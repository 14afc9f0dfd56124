// A step of a GRU layer is one product and one kernel, of both directions if it has two; sentences that have ended keep
// their state.
#include "engine/ops/gru.h"

#include "engine/ops/gru_unit.cuh"

namespace seqgrad {
namespace {

constexpr int threads = 128;

// Which numbers belong to unit j of sentence b of direction d, in step `step`.
struct GruIndex {
  int64_t d, b, j, t, row;

  // The i-th of [D,B,H]; division of 64 bits would take as long as the rest.
  __device__ GruIndex(const kernels::GruSizes& size, int64_t i, int64_t step) {
    const uint32_t h = static_cast<uint32_t>(size.hidden), n = static_cast<uint32_t>(size.batch) * h,
                   all = static_cast<uint32_t>(i), second = all >= n ? 1 : 0, of_one = all - second * n,
                   sentence = of_one / h;
    d = second;
    b = sentence;
    j = of_one - sentence * h;
    t = size.is_reverse(d) ? size.steps - 1 - step : step;
    row = b * size.steps + t;
  }
  __device__ int64_t index_btdh(const kernels::GruSizes& size) const {
    return (row * size.directions + d) * size.hidden + j;
  }
  // In the first H of each row of [D,B,T,width·H].
  __device__ int64_t index_dbth(const kernels::GruSizes& size, int64_t width) const {
    return (d * size.batch * size.steps + row) * width * size.hidden + j;
  }
};

__device__ int64_t units(const kernels::GruSizes& size) { return size.directions * size.batch * size.hidden; }

// State [D,B,H] moves on by a step; gh [D,B,3H] is state·W without the bias. In the first step the state is read from
// where it begins, and gh only if that is not 0.
template <class T>
__global__ void gru_kernel(kernels::Gru<T> k, int64_t step, T* state, const T* gh) {
  const int64_t h = k.size.hidden, gate = k.size.steps * units(k.size);
  for (int64_t i = gpu::index(); i < units(k.size); i += gpu::step()) {
    const GruIndex u(k.size, i, step);
    const T* first = u.d == 0 ? k.of[0].h0 : k.of[1].h0;
    const bool multiplied = step > 0 || first;
    const T h_prev = step > 0 ? state[i] : first ? first[u.b * h + u.j] : T{0};
    T& y = k.y[u.index_btdh(k.size)];
    const int64_t at = u.index_dbth(k.size, 1);
    const bool padding = u.t >= k.lengths[u.b];
    if (k.h_prev) k.h_prev[at] = padding ? T{0} : h_prev;
    if (padding) {
      y = 0;
      if (step == 0) state[i] = h_prev;
      continue;
    }
    const T *x = (u.d == 0 ? k.of[0].gx : k.of[1].gx) + u.row * 3 * h + u.j, *w = gh + 3 * (i - u.j) + u.j,
            *bias = (u.d == 0 ? k.of[0].b : k.of[1].b) + u.j;
    const auto sum = [&](int64_t j) { return multiplied ? x[j] + w[j] + bias[j] : x[j] + bias[j]; };
    const GruUnit<T> unit(sum(0), sum(h), x[2 * h], multiplied ? w[2 * h] + bias[2 * h] : bias[2 * h]);
    y = state[i] = unit.state(h_prev);
    if (k.saved_gates) unit.save(k.saved_gates + at, gate);
  }
}

// How far the W of a second direction, if there is one, lies behind that of the first, in elements.
template <class T>
int64_t distance(const PackedMatrix<T>& first, const PackedMatrix<T>& second) {
  if (!second.matrix.data) return 0;
  return (reinterpret_cast<intptr_t>(second.matrix.data) - reinterpret_cast<intptr_t>(first.matrix.data)) /
         static_cast<int64_t>(sizeof(T));
}

template <class T>
void gru_cuda(const kernels::Gru<T>& k) {
  const int64_t h = k.size.hidden, batch = k.size.batch, n = batch * h, all = k.size.directions * n;
  if (all > INT32_MAX) refuse("gru: {} states of {} units are too many for a GPU", k.size.directions * batch, h);
  T *state = Tape::current().scratch<T>(all, Device::cuda), *gh = Tape::current().scratch<T>(3 * all, Device::cuda);
  for (int64_t step = 0; step < k.size.steps; ++step) {
    const auto multiply = [&](int64_t d, const T* from, const StridedBatch& several = {}) {
      kernels::gemm<T>(Device::cuda,
                       {Matrix{from, batch, h}, k.of[d].w, Matrix{gh + d * 3 * n, batch, 3 * h}, false, several});
    };
    if (step > 0) multiply(0, state, {k.size.directions, n, distance(k.of[0].w, k.of[1].w), 3 * n});
    for (int64_t d = 0; d < k.size.directions && step == 0; ++d)
      if (k.of[d].h0) multiply(d, k.of[d].h0);
    gpu::launch(gru_kernel<T>, gpu::blocks_for(all, threads), threads, 0, gpu::stream(), k, step, state, gh);
  }
}

// One step back, the last first: from dh [D,B,H], the gradient of the state after it, to dgh and dgx and to what of dh
// passes the gate z, in the first step's case in dh0; the rest follows through the product with W. dh begins with 0.
template <class T>
__global__ void gru_grad_kernel(kernels::GruGrad<T> k, int64_t step, T* dh) {
  const int64_t h = k.size.hidden, gate = k.size.steps * units(k.size);
  for (int64_t i = gpu::index(); i < units(k.size); i += gpu::step()) {
    const GruIndex u(k.size, i, step);
    const bool last = step == k.size.steps - 1;
    const T dh_next = last ? T{0} : dh[i];
    const auto pass = [&](T x) {
      if (step > 0)
        dh[i] = x;
      else if (T* dh0 = u.d == 0 ? k.of[0].dh0 : k.of[1].dh0)
        dh0[u.b * h + u.j] = x;
    };
    T *dgh = k.dgh + u.index_dbth(k.size, 3), *dgx = u.d == 0 ? k.of[0].dgx : k.of[1].dgx;
    if (dgx) dgx += u.row * 3 * h + u.j;
    if (u.t >= k.lengths[u.b]) {
      dgh[0] = dgh[h] = dgh[2 * h] = 0;
      if (dgx) dgx[0] = dgx[h] = dgx[2 * h] = 0;
      pass(dh_next);
      continue;
    }
    const int64_t at = u.index_dbth(k.size, 1);
    const T dy = k.dy[u.index_btdh(k.size)];
    const GruUnitGrad<T> g(GruUnit<T>(k.saved_gates + at, gate), k.h_prev[at], dh_next + dy);
    if (dgx) {
      dgx[0] = T{0} + g.dr;
      dgx[h] = T{0} + g.dz;
      dgx[2 * h] = T{0} + g.dn;
    }
    dgh[0] = g.dr;
    dgh[h] = g.dz;
    dgh[2 * h] = g.dhn_proj;
    pass(g.dh_prev);
  }
}

template <class T>
void gru_grad_cuda(const kernels::GruGrad<T>& k) {
  const kernels::GruSizes& size = k.size;
  const int64_t h = size.hidden, n = size.batch * h, all = size.directions * n, width = size.steps * 3 * h;
  T* dh = Tape::current().scratch<T>(all, Device::cuda);
  for (const auto& to : k.of)  // without a step no kernel writes it
    if (to.dh0 && size.steps == 0) backend(Device::cuda).zero(to.dh0, static_cast<size_t>(n) * sizeof(T));
  for (int64_t step = size.steps - 1; step >= 0; --step) {
    gpu::launch(gru_grad_kernel<T>, gpu::blocks_for(all, threads), threads, 0, gpu::stream(), k, step, dh);
    const auto begin = [&](int64_t d) {  // of what the kernel has written of dgh, in rows that lie `width` apart
      return d * size.batch * width + (size.is_reverse(d) ? size.steps - 1 - step : step) * 3 * h;
    };
    const auto multiply = [&](int64_t d, T* to, const StridedBatch& several = {}) {
      kernels::gemm<T>(Device::cuda, {Matrix{k.dgh + begin(d), size.batch, 3 * h, width}, k.of[d].wt,
                                      Matrix{to, size.batch, h}, true, several});
    };
    if (step > 0) multiply(0, dh, {size.directions, begin(1) - begin(0), distance(k.of[0].wt, k.of[1].wt), n});
    for (int64_t d = 0; d < size.directions && step == 0; ++d)
      if (T* dh0 = k.of[d].dh0) multiply(d, dh0);
  }
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::gru<T>, gru_cuda<T>) &&
         install<Device::cuda>(kernels::gru_grad<T>, gru_grad_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad

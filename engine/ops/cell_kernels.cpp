// The kernels as plain loops, which say what the vector kernels compute, and the choice of an instruction set.
#include "engine/ops/cell_kernels.h"

#include <algorithm>
#include <cmath>

#include "engine/core/isa.h"
#include "engine/ops/vector_math.h"

namespace seqgrad {

extern const CellKernels<float> cell_kernels_base, cell_kernels_avx2, cell_kernels_avx512;

namespace {

template <class T>
void gru_cell(const T* gx, const T* gh, const T* bias, const T* h_prev, T* h, T* saved, int64_t hidden) {
  T *const r = saved, *const z = r + hidden, *const n = z + hidden, *const hn_proj = n + hidden;
  for (int64_t i = 0; i < 2 * hidden; ++i) r[i] = fast_sigmoid(gx[i] + gh[i] + bias[i]);
  for (int64_t i = 0; i < hidden; ++i) {
    hn_proj[i] = gh[2 * hidden + i] + bias[2 * hidden + i];
    n[i] = fast_tanh(gx[2 * hidden + i] + r[i] * hn_proj[i]);
    h[i] = n[i] + z[i] * (h_prev[i] - n[i]);
  }
}

template <class T>
void gru_cell_grad(const T* saved, const T* h_prev, T* dh, const T* dy, T* dgx, T* dgh, int64_t hidden) {
  const T *const r = saved, *const z = r + hidden, *const n = z + hidden, *const hn_proj = n + hidden;
  for (int64_t i = 0; i < hidden; ++i) {
    const T d = dh[i] + dy[i];
    const T dn = d * (1 - z[i]) * (1 - n[i] * n[i]);
    const T dz = d * (h_prev[i] - n[i]) * z[i] * (1 - z[i]);
    const T dr = dn * hn_proj[i] * r[i] * (1 - r[i]);
    dgx[i] = T{0} + dr;
    dgx[hidden + i] = T{0} + dz;
    dgx[2 * hidden + i] = T{0} + dn;
    dgh[i] = dr;
    dgh[hidden + i] = dz;
    dgh[2 * hidden + i] = dn * r[i];
    dh[i] = d * z[i];
  }
}

template <class T>
void additive_scores(const T* q, VectorRows<const T> keys, const T* v, int64_t n, T* scores) {
  for (int64_t k = 0; k < keys.count; ++k) {
    scores[k] = 0;
    for (int64_t i = 0; i < n; ++i) scores[k] += v[i] * fast_tanh(q[i] + keys.data[k * keys.ld + i]);
  }
}

template <class T>
void additive_scores_grad(const T* q, VectorRows<const T> keys, const T* v, int64_t n, const T* dscores, T* dq,
                          T* dkeys, T* dv) {
  for (int64_t k = 0; k < keys.count; ++k)
    for (int64_t i = 0; i < n; ++i) {
      const T th = fast_tanh(q[i] + keys.data[k * keys.ld + i]), du = dscores[k] * v[i] * (1 - th * th);
      dq[i] += du;
      dkeys[k * keys.ld + i] += du;
      dv[i] += dscores[k] * th;
    }
}

template <class T>
bool double_exponentials(const T* x, T* e, int64_t n) {
  bool fit = true;
  for (int64_t i = 0; i < n; ++i) {
    e[i] = fast_exp(2 * x[i]);
    fit &= std::abs(x[i]) <= static_cast<T>(largest_doubled);
  }
  return fit;
}

template <class T>
void scores_of_exponentials(const T* eq, VectorRows<const T> ekeys, const T* v, int64_t n, T* scores) {
  for (int64_t k = 0; k < ekeys.count; ++k) {
    scores[k] = 0;
    for (int64_t i = 0; i < n; ++i) {
      const T p = eq[i] * ekeys.data[k * ekeys.ld + i];
      scores[k] += v[i] * ((p - 1) / (p + 1));
    }
  }
}

template <class T>
void scores_of_exponentials_grad(const T* eq, VectorRows<const T> ekeys, const T* v, int64_t n, const T* dscores, T* dq,
                                 T* dkeys, T* dv) {
  for (int64_t k = 0; k < ekeys.count; ++k)
    for (int64_t i = 0; i < n; ++i) {
      const T p = eq[i] * ekeys.data[k * ekeys.ld + i], r = 1 / (p + 1);
      const T du = dscores[k] * v[i] * (4 * (p * r) * r);
      dq[i] += du;
      dkeys[k * ekeys.ld + i] += du;
      dv[i] += dscores[k] * ((p - 1) * r);
    }
}

template <class T>
void softmax(T* x, int64_t n) {
  if (n == 0) return;
  const T top = *std::max_element(x, x + n);
  T total = 0;
  for (int64_t i = 0; i < n; ++i) total += x[i] = fast_exp(x[i] - top);
  for (int64_t i = 0; i < n; ++i) x[i] /= total;
}

template <class T>
void add_dots(const T* x, VectorRows<const T> rows, int64_t n, T* dots) {
  for (int64_t k = 0; k < rows.count; ++k)
    for (int64_t i = 0; i < n; ++i) dots[k] += x[i] * rows.data[k * rows.ld + i];
}

template <class T>
void add_rows(const T* weights, VectorRows<const T> rows, int64_t n, T* y) {
  for (int64_t k = 0; k < rows.count; ++k)
    for (int64_t i = 0; i < n; ++i) y[i] += weights[k] * rows.data[k * rows.ld + i];
}

template <class T>
constexpr CellKernels<T> plain{"plain",
                               gru_cell<T>,
                               gru_cell_grad<T>,
                               additive_scores<T>,
                               additive_scores_grad<T>,
                               double_exponentials<T>,
                               scores_of_exponentials<T>,
                               scores_of_exponentials_grad<T>,
                               softmax<T>,
                               add_dots<T>,
                               add_rows<T>};

}  // namespace

template <>
std::span<const CellKernels<float>* const> all_cell_kernels() {
  static const struct Available {
    const CellKernels<float>* list[4] = {&plain<float>, &cell_kernels_base};
    size_t count = 2;
    Available() {
#if defined(__x86_64__)
      if (isa() >= Isa::avx2) list[count++] = &cell_kernels_avx2;
      if (isa() >= Isa::avx512) list[count++] = &cell_kernels_avx512;
#endif
    }
  } found;
  return {found.list, found.count};
}

template <>
std::span<const CellKernels<double>* const> all_cell_kernels() {
  static constexpr const CellKernels<double>* all[] = {&plain<double>};
  return all;
}

template <class T>
const CellKernels<T>& cell_kernels() {
  static const CellKernels<T>& best = *all_cell_kernels<T>().back();
  return best;
}

template const CellKernels<float>& cell_kernels();
template const CellKernels<double>& cell_kernels();

}  // namespace seqgrad

// On a CPU: rows of GRU cells and of attention, which the recurrent ops go over sentence by sentence; of float32
// compiled once per instruction set. What they compute is written plainly in cell_kernels.cpp.
#pragma once
#include <cstdint>
#include <span>

namespace seqgrad {

// Vectors, or one after the other as rows that lie ld apart.
template <class T>
struct VectorRows {
  T* data;
  int64_t count, ld;
};

// The largest |x| whose exp(2x) is taken: products of two of them, and the reciprocals of those, are normal float32s.
constexpr float largest_doubled = 21.5f;

template <class T>
struct CellKernels {
  const char* isa;

  // h [H] from h_prev [H], which it may be; gx, gh and bias [3H] in the order r, z, n. Saved is what backward reads
  // [4H]: r, z, n and hn_proj = h·W_n + b_n.
  void (*gru_cell)(const T* gx, const T* gh, const T* bias, const T* h_prev, T* h, T* saved, int64_t hidden);
  // dh [H], of h, becomes what of it passes the gate z to h_prev; dgx and dgh [3H] are written.
  void (*gru_cell_grad)(const T* saved, const T* h_prev, T* dh, const T* dy, T* dgx, T* dgh, int64_t hidden);

  // Of each key the score v·tanh(q + key), and what gradients of the scores add to q, to the keys, whose gradients lie
  // as they do, and to v; all [n].
  void (*additive_scores)(const T* q, VectorRows<const T> keys, const T* v, int64_t n, T* scores);
  void (*additive_scores_grad)(const T* q, VectorRows<const T> keys, const T* v, int64_t n, const T* dscores, T* dq,
                               T* dkeys, T* dv);

  // The same of many queries without an exponential of each pair: tanh(q + key) = (P − 1) / (P + 1) where P is the
  // product of exp(2q) and exp(2·key). It is right to 3e-7 then, not to 3 ulp. First e = exp(2x) [n]; false: some |x|
  // is too large for it, or NaN.
  bool (*double_exponentials)(const T* x, T* e, int64_t n);
  void (*scores_of_exponentials)(const T* eq, VectorRows<const T> ekeys, const T* v, int64_t n, T* scores);
  void (*scores_of_exponentials_grad)(const T* eq, VectorRows<const T> ekeys, const T* v, int64_t n, const T* dscores,
                                      T* dq, T* dkeys, T* dv);

  void (*softmax)(T* x, int64_t n);  // of the scores of a sentence; row_passes.h has the passes over long rows
  void (*add_dots)(const T* x, VectorRows<const T> rows, int64_t n, T* dots);     // dots[i] += x·row i
  void (*add_rows)(const T* weights, VectorRows<const T> rows, int64_t n, T* y);  // y [n] += Σ weights[i]·row i
};

// Those of the best instruction set that this CPU has; of float64 the plain ones.
template <class T>
const CellKernels<T>& cell_kernels();

// All that this CPU can run, the plain ones first.
template <class T>
std::span<const CellKernels<T>* const> all_cell_kernels();

}  // namespace seqgrad

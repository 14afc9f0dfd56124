// The row kernel: loss and gradient of one row of logits. It knows target distributions and coefficients, no modes.
//   a = κ·tanh(z/κ) or z;  A = max a;  log S = log k + log1p(S'/k), S' = Σ_{a_v<A} exp(a_v−A), k the number of maxima
//   ℓ = Σ_{r_v≠0} r_v·(log S + (A − a_v));   λ = A + log S;   gradient: c·[R·p_v − r_v + 2ζλ·p_v]·(1 − tanh²(z_v/κ))
#pragma once
#include <cstdint>

#include "engine/core/kernel.h"

namespace seqgrad {

// What is asked of one row.
struct RowTask {
  int64_t at = 0;          // offset of the row in z (and in g)
  int64_t target = 0;      // id, in [0,V)
  double coefficient = 0;  // what the gradient is multiplied by: s·ω
};

struct RowResult {
  double loss = 0;       // ℓ, without z-loss
  double nll = 0;        // −log p_target, unsmoothed and unweighted
  double lambda = 0;     // log-sum-exp
  bool correct = false;  // the first maximum is the target
  bool nonfinite =
      false;  // NaN or +inf in the row, a row of −inf only, or an infinite loss; the gradient is unspecified
};

namespace kernels {
template <class T>
struct RowLoss {
  const T* z;
  T* g;  // where gradients go; z itself for in place; null: none
  const RowTask* tasks;
  RowResult* results;
  int64_t rows, classes;
  // The target distribution r: `off` everywhere and `on` at the target; or, where given, `off_row` [V] with `on` added
  // at the target, times `class_weight` [V].
  double off, on;
  const double *off_row, *class_weight;
  double softcap;  // 0: none
  double z_loss;
};
template <class T>
inline constinit Kernel<RowLoss<T>> row_loss{"row_loss"};
}  // namespace kernels

}  // namespace seqgrad

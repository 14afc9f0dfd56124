// The row kernel: loss and gradient of one row of logits. It knows target distributions and coefficients, no modes.
//   a = κ·tanh(z/κ) or z;  A = max a;  log S = log k + log1p(S'/k), S' = Σ_{a_v<A} exp(a_v−A), k the number of maxima
//   ℓ = Σ_{r_v≠0} r_v·(log S + (A − a_v));   λ = A + log S;   gradient: c·[R·p_v − r_v + 2ζλ·p_v]·(1 − tanh²(z_v/κ))
#pragma once
#include <cstdint>
#include <functional>

#include "engine/core/host_device.h"
#include "engine/core/kernel.h"
#include "engine/loss/options.h"

namespace seqgrad {

// What is asked of one row.
struct RowTask {
  int64_t at = 0;             // offset of the row in z (and in g)
  int64_t target = 0;         // id, in [0,V); -1: a row that does not count, whose gradient is 0 (on a GPU)
  const double* q = nullptr;  // [V] the target distribution, where it is not one-hot at `target`
  double coefficient = 0;     // what the gradient is multiplied by: s·ω
};

// What holds for all rows: r = (off + on·q)·c, where `off_row` [V] stands for `off` and `class_weight` [V] for c if
// given.
struct RowRule {
  Input input = Input::logits;
  int64_t classes = 0;
  double off = 0, on = 1;
  const double *off_row = nullptr, *class_weight = nullptr;
  double softcap = 0;  // κ; 0: none
  double z_loss = 0;   // ζ
  ProbsMode probs_mode = ProbsMode::renorm_clip;
  double probs_eps = 0;
  // Rows that are not finite are let through: those without a finite maximum get NaN as gradient, those of which only
  // the loss is infinite the formula's, which is finite. Else the gradient is unspecified, and an error follows.
  bool propagate = false;

  SEQGRAD_HD double q(const RowTask& task, int64_t v) const {
    return task.q ? task.q[v] : v == task.target ? 1.0 : 0.0;
  }
  SEQGRAD_HD double smoothed(const RowTask& task, int64_t v) const {
    return (off_row ? off_row[v] : off) + on * q(task, v);
  }
  SEQGRAD_HD double r(const RowTask& task, int64_t v) const {
    return class_weight ? smoothed(task, v) * class_weight[v] : smoothed(task, v);
  }
};

struct RowResult {
  double loss = 0;         // ℓ, without z-loss
  double nll = 0;          // the same with q for r: unsmoothed and unweighted
  double lambda = 0;       // log-sum-exp
  bool correct = false;    // the first maximum is the target
  bool nonfinite = false;  // NaN or +inf in the row, a row of −inf only, or an infinite loss
  bool invalid = false;    // probabilities that are none
  bool clipped = false;    // a probability with target mass was clipped
};

namespace kernels {
template <class T>
struct RowLoss {
  T* x;  // logits, or probabilities
  T* g;  // where gradients go; x itself for in place (logits only); null: none
  const RowTask* tasks;
  RowResult* results;
  int64_t rows;
  RowRule rule;
  const T* bias = nullptr;  // [V] to add to x first, in place (logits only); null: none
  // On a GPU, where to fetch results costs a wait: [rows] in its memory, instead of `results`; and what a row that is
  // not finite sets to 1 there.
  RowResult* kept = nullptr;
  int32_t* stop = nullptr;
};
// Rows of which only some classes are in memory at a time, in two passes over them (a GPU).
template <class T>
struct RowChunks {
  RowLoss<T> rows;  // without x and tasks[].at; results: kept
  int64_t width;    // classes of a chunk: a multiple of of_a_part<T> (row_parts.cuh); the last may have fewer
  std::function<T*(int64_t begin, int64_t end)> logits;  // makes those of the classes [begin,end): [rows,end-begin]
  std::function<void(int64_t begin, int64_t end, T*)> gradient;  // takes them, made where the logits were; empty: none
};
template <class T>
inline constinit Kernel<RowLoss<T>> row_loss{"row_loss"};
template <class T>
inline constinit Kernel<RowChunks<T>> row_chunks{"row_chunks"};
template <class T>
inline constinit Kernel<RowLoss<T>> probs_loss{"probs_loss"};  // probs_loss.cpp
}  // namespace kernels

template <class T>
void run_rows(Device device, const kernels::RowLoss<T>& k) {
  (k.rule.input == Input::probs ? kernels::probs_loss<T> : kernels::row_loss<T>)(device, k);
}

}  // namespace seqgrad

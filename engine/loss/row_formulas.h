// The mathematics of a row of logits, for every device. README.md derives it; here Σ r·(A − a) is split as r is:
//   r_v = base_v + spike·[v = y]
//   ℓ = R·log S + Σ_{base_v≠0} base_v·(A − a_v) + spike·(A − a_y)       log S = log k + log1p(S'/k),   λ = A + log S
//   gradient: c·[(R + 2ζλ)·p_v − base_v − spike·[v = y]]·(1 − tanh²(z_v/κ)); where one class holds all of r, its own is
//   c·[R·expm1(−(log S + A − a)) + 2ζλ·p], which keeps the digits that p − 1 loses
// The r of a dense row is a base of its own, without a spike.
#pragma once
#include <cmath>

#include "engine/loss/row_loss.h"

namespace seqgrad {

// What a row kernel sums over classes, A being the row's maximum.
struct RowSums {
  int64_t maxima = 0;     // k: how often a = A
  double tail = 0;        // S': Σ exp(a − A) over a < A
  double distance = 0;    // Σ base_v·(A − a_v) over base_v ≠ 0; of a base that is the same everywhere, without it
  double q_distance = 0;  // Σ q_v·(A − a_v), of a dense row
};

enum class RowBase { none, uniform, row };
SEQGRAD_HD inline RowBase base_of(const RowRule& rule, const RowTask& task) {
  return task.q || rule.base_f64 ? RowBase::row : rule.off != 0 ? RowBase::uniform : RowBase::none;
}

struct RowLossTerms {
  double log_sum = 0, lambda = 0, nll = 0, loss = 0;

  RowLossTerms() = default;
  // top: A; target_gap: A − a_y
  SEQGRAD_HD RowLossTerms(const RowRule& rule, const RowTask& task, const RowSums& s, double top, double target_gap) {
    const double maxima = static_cast<double>(s.maxima);
    log_sum = std::log(maxima) + std::log1p(s.tail / maxima);
    lambda = top + log_sum;
    nll = task.q ? task.q_sum * log_sum + s.q_distance : log_sum + target_gap;
    loss = (rule.base_sum + task.spike) * log_sum;
    loss += base_of(rule, task) == RowBase::uniform ? rule.off * s.distance : s.distance;
    if (!task.q && task.spike != 0) loss += task.spike * target_gap;
  }
};

// The gradient but for the cap: e·factor − base·(base_v or 1), and less `spike` at the target.
template <class T>
struct RowGradient {
  double coefficient, target_sum, z_scale, total, log_sum;
  T factor, base, spike;

  SEQGRAD_HD RowGradient(const RowRule& rule, const RowTask& task, const RowSums& s, double log_sum_of, double lambda)
      : coefficient(task.coefficient),
        target_sum(rule.base_sum + task.spike),
        z_scale(rule.z_loss != 0 ? 2 * rule.z_loss * lambda : 0),
        total(static_cast<double>(s.maxima) + s.tail),
        log_sum(log_sum_of),
        factor(static_cast<T>(coefficient * (target_sum + z_scale) / total)),
        base(static_cast<T>(base_of(rule, task) == RowBase::row ? coefficient : coefficient * rule.off)),
        spike(static_cast<T>(task.q ? 0.0 : coefficient * task.spike)) {}

  // Of the one class that holds all of r; e: its exp(a − A), gap: A − a.
  SEQGRAD_HD T of_single_target(T e, double gap) const {
    return static_cast<T>(coefficient *
                          (target_sum * std::expm1(-(log_sum + gap)) + z_scale * static_cast<double>(e) / total));
  }
};

}  // namespace seqgrad

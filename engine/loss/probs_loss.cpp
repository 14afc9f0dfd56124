// The row kernel for probabilities (`input: probs`): three ways to keep the logarithm finite, as the field has them.
//   renorm_clip        p̃ = p/S, S = Σp; c = clip(p̃, e, 1−e); ℓ = −Σ r log c;  dℓ/dp_j = (γ_j − Σ_v γ_v p̃_v)/S,
//                      γ_v = −r_v/c_v where p̃_v is not clipped, else 0
//   clip_then_softmax  c = clip(p, e, 1−e); ℓ = R·log Σc − Σ r log c;  dℓ/dp_j = R/Σc − r_j/c_j, 0 where clipped
//   strict             Σp is 1 and 0 ≤ p ≤ 1; ℓ = −Σ r log p, which may be +∞;  dℓ/dp_j = −r_j/p_j
// All in float64 whatever T is: it is no hot path, and a clip at 1e-7 is coarse in float32.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/core/thread_pool.h"
#include "engine/loss/row_loss.h"

namespace seqgrad {
namespace {

constexpr double sum_tolerance = 1e-4;  // of `strict`

template <class T>
void one_row(const kernels::RowLoss<T>& k, const RowTask& task, RowResult& result, std::vector<double>& share) {
  const RowRule& rule = k.rule;
  const int64_t n = rule.classes;
  const T* p = k.x + task.at;
  result = {};
  double sum = 0;
  for (int64_t v = 0; v < n; ++v) {
    result.nonfinite |= std::isnan(p[v]);
    result.invalid |= p[v] < 0 || p[v] > 1;
    sum += static_cast<double>(p[v]);
  }
  result.invalid |= sum == 0 || (rule.probs_mode == ProbsMode::strict && std::abs(sum - 1) > sum_tolerance);
  if (result.nonfinite || result.invalid) {
    result.loss = result.nll = std::numeric_limits<double>::quiet_NaN();
    if (k.g) std::fill_n(k.g + task.at, n, std::numeric_limits<T>::quiet_NaN());
    return;
  }
  result.correct = std::max_element(p, p + n) == p + task.target;

  const bool strict = rule.probs_mode == ProbsMode::strict, renormalised = rule.probs_mode == ProbsMode::renorm_clip;
  const double low = strict ? 0 : rule.probs_eps,
               high = strict ? std::numeric_limits<double>::infinity() : 1 - rule.probs_eps;
  share.resize(static_cast<size_t>(n));  // p or p̃, before the clip
  double clipped_sum = 0;
  for (int64_t v = 0; v < n; ++v) {
    const double x = static_cast<double>(p[v]) / (renormalised ? sum : 1);
    share[static_cast<size_t>(v)] = x;
    clipped_sum += std::clamp(x, low, high);
  }
  const double log_sum = rule.probs_mode == ProbsMode::clip_then_softmax ? std::log(clipped_sum) : 0;
  double r_sum = 0, pull = 0;  // Σ r, and Σ γ p̃
  for (int64_t v = 0; v < n; ++v) {
    const double r = rule.r(task, v), q = rule.q(task, v);
    if (r == 0 && q == 0) continue;
    const double x = share[static_cast<size_t>(v)], c = std::clamp(x, low, high);
    r_sum += r;
    if (r != 0) result.loss += r * (log_sum - std::log(c));
    if (q != 0) result.nll += q * (log_sum - std::log(c));
    result.clipped |= c != x;
    if (c == x) pull -= r / c * x;
  }
  result.nonfinite = !std::isfinite(result.loss);
  if (!k.g) return;
  for (int64_t v = 0; v < n; ++v) {
    const double x = share[static_cast<size_t>(v)], r = rule.r(task, v);
    const bool kept = x >= low && x <= high;
    const double own = r == 0 || !kept ? 0 : -r / x;
    const double d = renormalised                                              ? (own - pull) / sum
                     : rule.probs_mode == ProbsMode::clip_then_softmax && kept ? r_sum / clipped_sum + own
                                                                               : own;
    k.g[task.at + v] = static_cast<T>(task.coefficient * d);
  }
}

template <class T>
void probs_loss_cpu(const kernels::RowLoss<T>& k) {
  parallel_ranges(k.rows, 8, [&](int64_t begin, int64_t end) {
    thread_local std::vector<double> memory;
    for (int64_t i = begin; i < end; ++i) one_row(k, k.tasks[i], k.results[i], memory);
  });
}

const bool installed = install<Device::cpu>(kernels::probs_loss<float>, probs_loss_cpu<float>) &&
                       install<Device::cpu>(kernels::probs_loss<double>, probs_loss_cpu<double>);

}  // namespace
}  // namespace seqgrad

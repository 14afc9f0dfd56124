// The row kernel for probabilities (`input: probs`), in float64 (probs_formulas.h).
#include <algorithm>
#include <limits>

#include "engine/core/thread_pool.h"
#include "engine/loss/probs_formulas.h"

namespace seqgrad {
namespace {

template <class T>
void one_row(const kernels::RowLoss<T>& k, const RowTask& task, RowResult& result) {
  const RowRule& rule = k.rule;
  const int64_t n = rule.classes;
  const T* p = k.x + task.offset;
  result = {};
  double sum = 0, clipped_sum = 0;
  for (int64_t v = 0; v < n; ++v) {
    result.nonfinite |= std::isnan(p[v]);
    result.invalid |= p[v] < 0 || p[v] > 1;
    sum += static_cast<double>(p[v]);
  }
  ProbsFormulas f(rule, sum);
  result.invalid |= f.invalid_sum();
  if (result.nonfinite || result.invalid) {
    result.loss = result.nll = std::numeric_limits<double>::quiet_NaN();
    if (k.g) std::fill_n(k.g + task.offset, n, std::numeric_limits<T>::quiet_NaN());
    return;
  }
  result.correct = std::max_element(p, p + n) == p + task.target;

  for (int64_t v = 0; v < n; ++v) clipped_sum += f.clip(f.share(static_cast<double>(p[v])));
  f.set_clipped_sum(clipped_sum);
  ProbsSums sums;
  for (int64_t v = 0; v < n; ++v) f.accumulate(sums, static_cast<double>(p[v]), rule.r(task, v), rule.q(task, v));
  result.loss = sums.loss;
  result.nll = sums.nll;
  result.clipped = sums.clipped > 0;
  result.nonfinite = !std::isfinite(result.loss);
  for (int64_t v = 0; k.g && v < n; ++v)
    k.g[task.offset + v] =
        static_cast<T>(task.coefficient * f.gradient(sums, static_cast<double>(p[v]), rule.r(task, v)));
}

template <class T>
void probs_loss_cpu(const kernels::RowLoss<T>& k) {
  parallel_ranges(k.rows, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) one_row(k, k.tasks[i], k.results[i]);
  });
}

const bool installed = install<Device::cpu>(kernels::probs_loss<float>, probs_loss_cpu<float>) &&
                       install<Device::cpu>(kernels::probs_loss<double>, probs_loss_cpu<double>);

}  // namespace
}  // namespace seqgrad

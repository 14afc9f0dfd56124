// One row's loss and gradient from the three passes of ops/row_passes.h, made while the row is in cache.
#include "engine/loss/row_loss.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/core/thread_pool.h"
#include "engine/ops/row_passes.h"
#include "engine/ops/vector_math.h"

namespace seqgrad {
namespace {

// What the target distribution says about a row, taken before the exponentials overwrite it.
struct TargetTerms {
  double r_sum = 0, r_distance = 0;  // Σ r and Σ r·(A − a)
  double q_sum = 0, q_distance = 0;  // the same of q
  int64_t count = 0, only = 0;       // how many r are not 0, and the place of one of them
};

template <class T>
TargetTerms target_terms(const RowRule& rule, const RowTask& task, const T* a, T top) {
  TargetTerms out;
  for (int64_t v = 0; v < rule.classes; ++v) {
    const double r = rule.r(task, v), q = rule.q(task, v);
    if (r == 0 && q == 0) continue;  // so that 0·∞ is 0
    const double distance = static_cast<double>(top) - static_cast<double>(a[v]);
    if (r != 0) {
      out.r_sum += r;
      out.r_distance += r * distance;
      ++out.count;
      out.only = v;
    }
    if (q != 0) {
      out.q_sum += q;
      out.q_distance += q * distance;
    }
  }
  return out;
}

template <class T>
void one_row(const kernels::RowLoss<T>& k, const RowTask& task, RowResult& result, const T* next,
             std::vector<T>& memory) {
  const RowRule& rule = k.rule;
  const int64_t n = rule.classes;
  const RowPasses<T>& passes = row_passes<T>();
  T* z = k.x + task.at;
  const bool capped = rule.softcap > 0;
  memory.resize(static_cast<size_t>((capped ? 2 : 1) * n));
  T* e = k.g ? k.g + task.at : memory.data();
  result = {};
  T* a = z;
  T top = passes.maximum(z, k.bias, n);
  if (!std::isfinite(top)) {  // a NaN, an infinity (which a cap would hide), or nothing but −inf
    result.nonfinite = true;
    result.loss = result.nll = result.lambda = std::numeric_limits<double>::quiet_NaN();
    if (k.g && rule.propagate) std::fill_n(e, n, std::numeric_limits<T>::quiet_NaN());
    return;
  }
  if (capped) {
    a = memory.data() + n;
    const T kappa = static_cast<T>(rule.softcap);
    for (int64_t v = 0; v < n; ++v) a[v] = kappa * fast_tanh(z[v] / kappa);
    top = passes.maximum_of(a, n);
  }
  const T at_target = a[task.target];
  if (at_target == top) result.correct = std::find(a, a + task.target, top) == a + task.target;
  // A distribution that is neither one-hot nor flat beside its target is walked class by class.
  const bool walked = rule.off_row || rule.class_weight || task.q;
  const TargetTerms terms = walked ? target_terms(rule, task, a, top) : TargetTerms{};
  const double gap = static_cast<double>(top) - static_cast<double>(at_target);
  const double only_gap = terms.count == 1 ? static_cast<double>(top) - static_cast<double>(a[terms.only]) : gap;
  const bool flat = !walked && rule.off != 0;
  const ExpSums sums = passes.exponentials(a, top, e, n, flat, next);
  const auto count = static_cast<double>(sums.maxima);
  const double tail = sums.tail;
  const double log_sum = std::log(count) + std::log1p(tail / count);
  result.nll = task.q ? terms.q_sum * log_sum + terms.q_distance : log_sum + gap;
  result.lambda = static_cast<double>(top) + log_sum;
  double r_sum = rule.on;
  if (walked) {
    r_sum = terms.r_sum;
    result.loss = r_sum * log_sum + terms.r_distance;
  } else if (flat) {
    r_sum += rule.off * static_cast<double>(n);
    result.loss = rule.off * (static_cast<double>(n) * log_sum + sums.distance) + rule.on * result.nll;
  } else {
    result.loss = rule.on * result.nll;
  }
  if (!std::isfinite(result.loss)) result.nonfinite = true;
  if (!k.g) return;

  const double c = task.coefficient, pull = 2 * rule.z_loss * result.lambda;
  const T factor = static_cast<T>(c * (r_sum + pull) / (count + tail));
  const int64_t only = walked ? terms.only : task.target;
  const T only_e = e[only];
  if (walked) {
    for (int64_t v = 0; v < n; ++v) e[v] = e[v] * factor - static_cast<T>(c * rule.r(task, v));
  } else {
    passes.scale_and_shift(e, factor, static_cast<T>(c * rule.off), n);
    e[task.target] -= static_cast<T>(c * rule.on);
  }
  if (walked ? terms.count == 1 : rule.off == 0)  // p − 1 would cancel as p nears 1
    e[only] = static_cast<T>(c * (rule.r(task, only) * std::expm1(-(log_sum + only_gap)) +
                                  pull * static_cast<double>(only_e) / (count + tail)));
  if (capped)
    for (int64_t v = 0; v < n; ++v) {
      const T th = a[v] / static_cast<T>(rule.softcap);
      e[v] *= 1 - th * th;
    }
}

template <class T>
void row_loss_cpu(const kernels::RowLoss<T>& k) {
  parallel_ranges(k.rows, 8, [&](int64_t begin, int64_t end) {
    thread_local std::vector<T> memory;
    for (int64_t i = begin; i < end; ++i)
      one_row(k, k.tasks[i], k.results[i], i + 1 < end ? k.x + k.tasks[i + 1].at : nullptr, memory);
  });
}

const bool installed = install<Device::cpu>(kernels::row_loss<float>, row_loss_cpu<float>) &&
                       install<Device::cpu>(kernels::row_loss<double>, row_loss_cpu<double>);

}  // namespace
}  // namespace seqgrad

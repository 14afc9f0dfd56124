// One row's loss and gradient from the three passes of ops/row_passes.h, made while the row is in cache.
#include <algorithm>
#include <limits>

#include "engine/core/scratch.h"
#include "engine/core/thread_pool.h"
#include "engine/loss/row_formulas.h"
#include "engine/ops/row_passes.h"
#include "engine/ops/vector_math.h"

namespace seqgrad {
namespace {

// Of the rows that one thread works on, one after the other.
template <class T>
class RowMemory {
 public:
  explicit RowMemory(int64_t classes) : classes_(classes) {}
  T* exponentials() { return of(exponentials_); }  // [V] each, made when a row first needs them
  T* capped() { return of(capped_); }
  T* weights() { return of(weights_); }

 private:
  T* of(T*& memory) { return memory ? memory : memory = scratch_.take<T>(classes_); }

  Scratch scratch_;
  int64_t classes_;
  T *exponentials_ = nullptr, *capped_ = nullptr, *weights_ = nullptr;
};

template <class T>
T* soft_cap(const T* z, T kappa, int64_t n, T* a) {
  for (int64_t v = 0; v < n; ++v) a[v] = kappa * fast_tanh(z[v] / kappa);
  return a;
}
template <class T>
void soft_cap_gradient(const T* a, T kappa, int64_t n, T* e) {
  for (int64_t v = 0; v < n; ++v) {
    const T th = a[v] / kappa;
    e[v] *= 1 - th * th;
  }
}

// What a dense row has instead of the base of all rows. Made before the exponentials overwrite the logits a.
template <class T>
struct DenseTarget {
  const T* base;
  int64_t single_target;
  double q_distance;  // of the unsmoothed and unweighted q, where it is not the base
};
template <class T>
DenseTarget<T> dense_target(const RowRule& rule, const RowTask& task, const T* a, T top, RowMemory<T>& memory) {
  const int64_t n = rule.classes;
  const RowPasses<T>& passes = row_passes<T>();
  const T* q = task.in_place ? task.q.of<T>() : nullptr;  // which make_weights would copy as it is
  if (q && rule.is_plain()) return {q, -1, 0};
  T* weights = memory.weights();
  double q_distance = 0;
  if (!rule.is_plain()) {
    if (!q) (void)passes.make_weights({task.q.f64, task.q.f32}, weights, n);
    T* unused = memory.exponentials();
    q_distance = passes.exponentials(a, top, unused, n, Distance::weighted, q ? q : weights, nullptr).distance;
  }
  const WeightTables tables{task.q.f64, task.q.f32, rule.off, rule.on, rule.off_row, rule.class_weight};
  const bool single = passes.make_weights(tables, weights, n) == 1;
  return {weights, single ? std::find_if(weights, weights + n, [](T r) { return r != 0; }) - weights : -1, q_distance};
}

template <class T>
void one_row(const kernels::RowLoss<T>& k, const RowTask& task, RowResult& result, const T* next,
             RowMemory<T>& memory) {
  const RowRule& rule = k.rule;
  const int64_t n = rule.classes;
  const RowPasses<T>& passes = row_passes<T>();
  T* a = k.x + task.offset;
  T* e = k.g ? k.g + task.offset : memory.exponentials();
  result = {};
  T top = passes.maximum(a, k.bias, n, next);
  if (!std::isfinite(top)) {  // a NaN, an infinity (which a cap would hide), or nothing but −inf
    result.nonfinite = true;
    result.loss = result.nll = result.lambda = std::numeric_limits<double>::quiet_NaN();
    if (k.g && rule.propagate) std::fill_n(e, n, std::numeric_limits<T>::quiet_NaN());
    return;
  }
  const T kappa = static_cast<T>(rule.softcap);
  if (kappa > 0) {
    a = soft_cap(a, kappa, n, memory.capped());
    top = passes.maximum_of(a, n);
  }
  if (a[task.target] == top) result.correct = std::find(a, a + task.target, top) == a + task.target;
  const auto [base, single_target, q_distance] =
      task.q ? dense_target(rule, task, a, top, memory) : DenseTarget<T>{rule.base_row<T>(), task.single_target, 0};
  const auto gap = [&](int64_t v) { return static_cast<double>(top) - static_cast<double>(a[v]); };
  const double target_gap = gap(task.target), single_gap = single_target >= 0 ? gap(single_target) : 0;

  constexpr Distance distances[] = {Distance::none, Distance::plain, Distance::weighted};
  const RowBase kind = base_of(rule, task);
  const ExpSums sums = passes.exponentials(a, top, e, n, distances[static_cast<int>(kind)], base, next);
  const RowSums all{sums.maxima, sums.tail, sums.distance, rule.is_plain() ? sums.distance : q_distance};
  const RowLossTerms terms(rule, task, all, static_cast<double>(top), target_gap);
  result.loss = terms.loss;
  result.nll = terms.nll;
  result.lambda = terms.lambda;
  result.nonfinite = !std::isfinite(terms.loss);
  if (!k.g) return;

  const RowGradient<T> gradient(rule, task, all, terms.log_sum, terms.lambda);
  const T single_e = single_target >= 0 ? e[single_target] : T{0};
  if (kind == RowBase::row)
    passes.scale_and_subtract(e, gradient.factor, gradient.base, base, n, next);
  else
    passes.scale_and_shift(e, gradient.factor, gradient.base, n, next);
  if (!task.q) e[task.target] -= gradient.spike;
  if (single_target >= 0) e[single_target] = gradient.of_single_target(single_e, single_gap);
  if (kappa > 0) soft_cap_gradient(a, kappa, n, e);
}

template <class T>
void row_loss_cpu(const kernels::RowLoss<T>& k) {
  // The first row of each block is the one that no row before it has fetched.
  parallel_ranges(k.rows, std::clamp<int64_t>(k.rows / 32, 1, 16), [&](int64_t begin, int64_t end) {
    RowMemory<T> memory(k.rule.classes);
    for (int64_t i = begin; i < end; ++i)
      one_row(k, k.tasks[i], k.results[i], i + 1 < end ? k.x + k.tasks[i + 1].offset : nullptr, memory);
  });
}

const bool installed = install<Device::cpu>(kernels::row_loss<float>, row_loss_cpu<float>) &&
                       install<Device::cpu>(kernels::row_loss<double>, row_loss_cpu<double>);

}  // namespace
}  // namespace seqgrad

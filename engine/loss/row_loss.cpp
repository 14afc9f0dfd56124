// Three passes over a row while it is in cache: maximum; exponentials and their sum; scale and subtract.
#include "engine/loss/row_loss.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/core/simd.h"
#include "engine/core/thread_pool.h"
#include "engine/ops/vector_math.h"

namespace seqgrad {
namespace {

constexpr int64_t chunk = 64;  // terms that are summed in the row's own precision before float64 takes over

template <class T>
SEQGRAD_SIMD T maximum(const T* a, int64_t n) {
  T lanes[16];
  std::fill_n(lanes, 16, -std::numeric_limits<T>::infinity());
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int j = 0; j < 16; ++j) lanes[j] = a[i + j] > lanes[j] ? a[i + j] : lanes[j];
  for (; i < n; ++i) lanes[0] = a[i] > lanes[0] ? a[i] : lanes[0];
  return *std::max_element(lanes, lanes + 16);
}

// e = exp(a − A); the tail below the maximum in chunks, the number of maxima, and Σ (A − a).
template <class T>
SEQGRAD_SIMD void exponentials(const T* a, T top, T* e, int64_t n, double& tail, int64_t& maxima, double& distance) {
  for (int64_t begin = 0; begin < n; begin += chunk) {
    const int64_t count = std::min(chunk, n - begin);
    T sums[16] = {}, gaps[16] = {}, ones[16] = {};
    const T* in = a + begin;
    T* out = e + begin;
    int64_t i = 0;
    for (; i + 16 <= count; i += 16)
      for (int j = 0; j < 16; ++j) {
        const T gap = top - in[i + j];
        const T x = fast_exp(-gap);
        sums[j] += gap == 0 ? T{0} : x;
        ones[j] += gap == 0 ? T{1} : T{0};
        gaps[j] += gap;
        out[i + j] = x;
      }
    for (; i < count; ++i) {
      const T gap = top - in[i];
      const T x = fast_exp(-gap);
      sums[0] += gap == 0 ? T{0} : x;
      ones[0] += gap == 0 ? T{1} : T{0};
      gaps[0] += gap;
      out[i] = x;
    }
    for (int j = 0; j < 16; ++j) {
      tail += static_cast<double>(sums[j]);
      maxima += static_cast<int64_t>(ones[j]);
      distance += static_cast<double>(gaps[j]);
    }
  }
}

template <class T>
SEQGRAD_SIMD void scale_and_shift(T* e, T factor, T shift, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) e[i] = e[i] * factor - shift;
}

template <class T>
void one_row(const kernels::RowLoss<T>& k, const RowTask& task, RowResult& result, std::vector<T>& memory) {
  const int64_t n = k.classes;
  const T* z = k.z + task.at;
  const bool capped = k.softcap > 0;
  memory.resize(static_cast<size_t>((capped ? 2 : 1) * n));
  T* e = k.g ? k.g + task.at : memory.data();
  const T* a = z;
  if (capped) {
    T* caps = memory.data() + n;
    const T kappa = static_cast<T>(k.softcap);
    for (int64_t v = 0; v < n; ++v) caps[v] = kappa * fast_tanh(z[v] / kappa);
    a = caps;
  }
  const T top = maximum(a, n);
  const T at_target = a[task.target];
  result = {};
  if (!std::isfinite(top)) {
    result.nonfinite = true;
    return;
  }
  if (at_target == top) result.correct = std::find(a, a + task.target, top) == a + task.target;
  // Terms r_v·(log S + A − a_v) with r_v ≠ 0 need the logits, which pass two may overwrite.
  const bool row_given = k.off_row || k.class_weight;
  double r_sum = 0, r_distance = 0;  // Σ r and Σ r·(A − a)
  int64_t r_count = 0;
  const auto r_of = [&](int64_t v) {
    const double r = (k.off_row ? k.off_row[v] : k.off) + (v == task.target ? k.on : 0);
    return k.class_weight ? r * k.class_weight[v] : r;
  };
  if (row_given)
    for (int64_t v = 0; v < n; ++v)
      if (const double r = r_of(v); r != 0) {
        r_sum += r;
        r_distance += r * (static_cast<double>(top) - static_cast<double>(a[v]));
        ++r_count;
      }
  double tail = 0, distance = 0;
  int64_t maxima = 0;
  exponentials(a, top, e, n, tail, maxima, distance);
  if (std::isnan(tail)) {  // a NaN never is the maximum, but it is in the sum
    result.nonfinite = true;
    return;
  }
  const auto count = static_cast<double>(maxima);
  const double log_sum = std::log(count) + std::log1p(tail / count);
  const double gap = static_cast<double>(top) - static_cast<double>(at_target);
  result.nll = log_sum + gap;
  result.lambda = static_cast<double>(top) + log_sum;
  if (row_given) {
    result.loss = r_sum * log_sum + r_distance;
  } else if (k.off == 0) {
    r_sum = k.on;
    r_count = 1;
    result.loss = k.on * result.nll;
  } else {
    r_sum = k.off * static_cast<double>(n) + k.on;
    r_count = n;
    result.loss = k.off * (static_cast<double>(n) * log_sum + distance) + k.on * result.nll;
  }
  if (!std::isfinite(result.loss)) result.nonfinite = true;
  if (!k.g || result.nonfinite) return;

  const double c = task.coefficient, pull = 2 * k.z_loss * result.lambda;
  const T factor = static_cast<T>(c * (r_sum + pull) / (count + tail));
  const T target_p = e[task.target];
  if (row_given) {
    for (int64_t v = 0; v < n; ++v) e[v] = e[v] * factor - static_cast<T>(c * r_of(v));
  } else {
    scale_and_shift(e, factor, static_cast<T>(c * k.off), n);
    e[task.target] -= static_cast<T>(c * k.on);
  }
  const double r_target = r_of(task.target);
  if (r_count == 1 && r_target != 0)  // p − 1 would cancel as p nears 1
    e[task.target] = static_cast<T>(
        c * (r_target * std::expm1(-result.nll) + pull * static_cast<double>(target_p) / (count + tail)));
  if (capped)
    for (int64_t v = 0; v < n; ++v) {
      const T th = a[v] / static_cast<T>(k.softcap);
      e[v] *= 1 - th * th;
    }
}

template <class T>
void row_loss_cpu(const kernels::RowLoss<T>& k) {
  parallel_ranges(k.rows, 8, [&](int64_t begin, int64_t end) {
    thread_local std::vector<T> memory;
    for (int64_t i = begin; i < end; ++i) one_row(k, k.tasks[i], k.results[i], memory);
  });
}

const bool installed = install<Device::cpu>(kernels::row_loss<float>, row_loss_cpu<float>) &&
                       install<Device::cpu>(kernels::row_loss<double>, row_loss_cpu<double>);

}  // namespace
}  // namespace seqgrad

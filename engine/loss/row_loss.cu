// One block a row: an online pass for maximum and sums, then the gradient where the logits were. The row comes from
// memory once; the second pass finds it in cache. Statistics of a thread are in the row's precision for at most 64
// terms, then in float64; threads are combined in one fixed order.
#include "engine/loss/row_math.cuh"
#include "engine/ops/vector_math.h"

namespace seqgrad {
namespace {

constexpr int64_t no_place = INT64_MAX;
constexpr int terms_at_once = 64;

// Of the entries that one thread has seen.
template <class T>
struct Online {
  T top = -static_cast<T>(INFINITY);
  int64_t maxima = 0, first = no_place, seen = 0;  // how often a = top, and where first
  double tail = 0, distance = 0;                   // Σ exp(a − top) over a < top; Σ (top − a)
  T part = 0;                                      // of the tail: not yet in it
  bool bad = false;                                // a NaN or +inf

  __device__ void see(T a, int64_t v) {
    if (a > top) {
      tail = (tail + static_cast<double>(part) + static_cast<double>(maxima)) * exp_of(top - a);
      part = 0;
      if (seen > 0) distance += static_cast<double>(seen) * static_cast<double>(a - top);
      maxima = 0;
      top = a;
      first = v;
    }
    if (a == top) {
      ++maxima;
      if (first == no_place) first = v;
    } else {
      part += std::exp(a - top);
      distance += static_cast<double>(top - a);
    }
    if (++seen % terms_at_once == 0) {
      tail += static_cast<double>(part);
      part = 0;
    }
  }

  // Of all threads of the block, in each.
  __device__ void combine() {
    const T own = top;
    top = gpu::block_reduce(own, gpu::shared_memory<T>(), gpu::Larger{});
    tail += static_cast<double>(part);
    if (own < top) {
      tail = (tail + static_cast<double>(maxima)) * exp_of(own - top);
      if (seen > 0) distance += static_cast<double>(seen) * static_cast<double>(top - own);
      maxima = 0;
      first = no_place;
    }
    tail = block_sum(tail);
    distance = block_sum(distance);
    maxima = block_count(maxima);
    first = block_least(first);
    bad = block_count(bad) > 0;
  }

 private:
  __device__ static double exp_of(T x) { return static_cast<double>(std::exp(x)); }
};

// Σ r, Σ r·(top − a) and the same of q, for distributions that are walked class by class.
struct Walk {
  double r_sum = 0, r_distance = 0, q_sum = 0, q_distance = 0;
  int64_t count = 0, only = no_place;  // how many r are not 0, and the place of the first
};

template <class T>
__global__ void row_loss_kernel(kernels::RowLoss<T> k) {
  const RowRule& rule = k.rule;
  const RowTask task = k.tasks[blockIdx.x];
  const int64_t n = rule.classes;
  T* z = k.x + task.at;
  T* g = k.g ? k.g + task.at : nullptr;
  const T kappa = static_cast<T>(rule.softcap);
  const auto logit = [&](int64_t v) { return k.bias ? z[v] + k.bias[v] : z[v]; };
  const auto capped = [&](T x) { return kappa > 0 ? kappa * fast_tanh(x / kappa) : x; };

  Online<T> row;
  bool any_finite = false;
  for (int64_t v = threadIdx.x; v < n; v += blockDim.x) {
    const T x = logit(v);
    row.bad |= x != x || x == static_cast<T>(INFINITY);  // which a cap would hide
    any_finite |= x > -static_cast<T>(INFINITY);
    row.see(capped(x), v);
  }
  const T at_target = capped(logit(task.target));
  row.combine();
  RowResult result;
  if (row.bad || block_count(any_finite) == 0) {
    result.nonfinite = true;
    result.loss = result.nll = result.lambda = NAN;
    if (threadIdx.x == 0) k.results[blockIdx.x] = result;
    for (int64_t v = threadIdx.x; v < n; v += blockDim.x) {
      if (k.bias) z[v] = logit(v);  // as a report will name it
      if (g && rule.propagate) g[v] = static_cast<T>(NAN);
    }
    return;
  }
  result.correct = row.first == task.target;

  const double top = static_cast<double>(row.top), gap = top - static_cast<double>(at_target);
  const bool is_walked = rule.off_row || rule.class_weight || task.q;
  Walk walk;
  if (is_walked) {
    for (int64_t v = threadIdx.x; v < n; v += blockDim.x) {
      const double r = rule.r(task, v), q = rule.q(task, v);
      if (r == 0 && q == 0) continue;  // so that 0·∞ is 0
      const double distance = static_cast<double>(row.top - capped(logit(v)));
      if (r != 0) {
        walk.r_sum += r;
        walk.r_distance += r * distance;
        ++walk.count;
        walk.only = v < walk.only ? v : walk.only;
      }
      if (q != 0) {
        walk.q_sum += q;
        walk.q_distance += q * distance;
      }
    }
    walk = {block_sum(walk.r_sum),      block_sum(walk.r_distance), block_sum(walk.q_sum),
            block_sum(walk.q_distance), block_count(walk.count),    block_least(walk.only)};
  }
  const double maxima = static_cast<double>(row.maxima), total = maxima + row.tail;
  const double log_sum = std::log(maxima) + std::log1p(row.tail / maxima);
  const bool flat = !is_walked && rule.off != 0;
  result.nll = task.q ? walk.q_sum * log_sum + walk.q_distance : log_sum + gap;
  result.lambda = top + log_sum;
  double r_sum = rule.on;
  if (is_walked) {
    r_sum = walk.r_sum;
    result.loss = r_sum * log_sum + walk.r_distance;
  } else if (flat) {
    r_sum += rule.off * static_cast<double>(n);
    result.loss = rule.off * (static_cast<double>(n) * log_sum + row.distance) + rule.on * result.nll;
  } else {
    result.loss = rule.on * result.nll;
  }
  if (!(std::abs(result.loss) < INFINITY)) result.nonfinite = true;
  if (threadIdx.x == 0) k.results[blockIdx.x] = result;
  if (!g) return;

  const double c = task.coefficient, pull = 2 * rule.z_loss * result.lambda;
  const T factor = static_cast<T>(c * (r_sum + pull) / total);
  const bool single = is_walked ? walk.count == 1 : rule.off == 0;  // all mass on one class
  const int64_t only = is_walked ? walk.only : task.target;
  const T single_gap = single ? row.top - capped(logit(only)) : T{0};
  __syncthreads();  // all have read the target's logit
  for (int64_t v = threadIdx.x; v < n; v += blockDim.x) {
    const T a = capped(logit(v));
    const T e = std::exp(a - row.top);
    T d;
    if (single && v == only)  // p − 1 would cancel as p nears 1
      d = static_cast<T>(c * (rule.r(task, only) * std::expm1(-(log_sum + static_cast<double>(single_gap))) +
                              pull * static_cast<double>(e) / total));
    else if (is_walked)
      d = e * factor - static_cast<T>(c * rule.r(task, v));
    else
      d = e * factor - static_cast<T>(c * rule.off) - (v == task.target ? static_cast<T>(c * rule.on) : T{0});
    if (kappa > 0) {
      const T th = a / kappa;
      d *= 1 - th * th;
    }
    g[v] = d;
  }
}

template <class T>
void row_loss_cuda(const kernels::RowLoss<T>& k) {
  run_on_device(row_loss_kernel<T>, k);
}

const bool installed = install<Device::cuda>(kernels::row_loss<float>, row_loss_cuda<float>) &&
                       install<Device::cuda>(kernels::row_loss<double>, row_loss_cuda<double>);

}  // namespace
}  // namespace seqgrad

// What a pass over the logits of a row learns, for all its classes or for a part of them, and how parts are put
// together. Statistics of a thread are in the row's precision for at most 64 terms, then in float64; threads and parts
// are combined in one fixed order.
#pragma once
#include "engine/loss/row_math.cuh"
#include "engine/ops/vector_math.h"

namespace seqgrad {

constexpr int64_t no_place = INT64_MAX;
constexpr int terms_at_once = 64;
constexpr int64_t of_a_part = 8192;  // classes

// Of the entries that one thread has seen.
template <class T>
struct Online {
  T top = -static_cast<T>(INFINITY);
  int64_t maxima = 0, first = no_place, seen = 0;  // how often a = top, and where first
  double tail = 0, distance = 0;                   // Σ exp(a − top) over a < top; Σ (top − a)
  T part = 0;                                      // of the tail: not yet in it

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
  }

  __device__ static double exp_of(T x) { return static_cast<double>(std::exp(x)); }
};

// Σ r, Σ r·(top − a) and the same of q, for distributions that are walked class by class.
struct Walk {
  double r_sum = 0, r_distance = 0, q_sum = 0, q_distance = 0;
  int64_t count = 0, only = no_place;  // how many r are not 0, and the place of the first
};

// What one pass learns of the classes [begin,end) of a row, or of all.
template <class T>
struct Part {
  T top, at_target, at_only;  // the largest logit; those of the target and of walk.only, if they are among these
  int64_t maxima, first;
  double tail, distance;
  bool bad, any_finite;  // a NaN or +inf; a number above -inf
  Walk walk;
};

template <class T>
struct alignas(16) Pack {
  static constexpr int64_t size = 16 / sizeof(T);
  T x[size];
};
template <class T>
__device__ Pack<T>& pack_at(T* x) {
  return *reinterpret_cast<Pack<T>*>(x);
}

// One row of logits, with the bias that is still to be added.
template <class T>
struct Row {
  T *z, *g;
  const T* bias;
  T kappa;
  bool packed;  // all are aligned to 16 bytes: a function of V, since arrays are

  __device__ Row(const kernels::RowLoss<T>& k, int64_t at)
      : z(k.x + at), g(k.g ? k.g + at : nullptr), bias(k.bias), kappa(static_cast<T>(k.rule.softcap)) {
    const auto address = [](const T* p) { return reinterpret_cast<uintptr_t>(p); };
    packed = (address(z) | address(g) | address(bias)) % 16 == 0 && k.rule.classes % Pack<T>::size == 0;
  }
  __device__ T logit(int64_t v) const { return bias ? z[v] + bias[v] : z[v]; }
  __device__ T capped(T x) const { return kappa > 0 ? kappa * fast_tanh(x / kappa) : x; }

  // f(v, logit) for each of this thread's classes in [begin,end).
  template <class F>
  __device__ void each(int64_t begin, int64_t end, const F& f) const {
    if (!packed) {
      for (int64_t v = begin + threadIdx.x; v < end; v += blockDim.x) f(v, logit(v));
      return;
    }
    for (int64_t v = begin + threadIdx.x * Pack<T>::size; v < end; v += blockDim.x * Pack<T>::size) {
      Pack<T> x = pack_at(z + v);
      if (bias) add(x, v);
      for (int i = 0; i < Pack<T>::size; ++i) f(v + i, x.x[i]);
    }
  }
  // The same, and what f gives becomes the gradient.
  template <class F>
  __device__ void each_gradient(int64_t begin, int64_t end, const F& f) const {
    if (!packed) {
      for (int64_t v = begin + threadIdx.x; v < end; v += blockDim.x) g[v] = f(v, logit(v));
      return;
    }
    for (int64_t v = begin + threadIdx.x * Pack<T>::size; v < end; v += blockDim.x * Pack<T>::size) {
      Pack<T> x = pack_at(z + v);
      if (bias) add(x, v);
      for (int i = 0; i < Pack<T>::size; ++i) x.x[i] = f(v + i, x.x[i]);
      pack_at(g + v) = x;
    }
  }

 private:
  __device__ void add(Pack<T>& x, int64_t v) const {
    const Pack<T> b = pack_at(const_cast<T*>(bias) + v);
    for (int i = 0; i < Pack<T>::size; ++i) x.x[i] += b.x[i];
  }
};

__device__ inline bool is_walked(const RowRule& rule, const RowTask& task) {
  return rule.off_row || rule.class_weight || task.q;
}

// By all threads of a block, to all.
template <class T>
__device__ Part<T> scan(const RowRule& rule, const RowTask& task, const Row<T>& row, int64_t begin, int64_t end) {
  Online<T> seen;
  bool bad = false, any_finite = false;
  row.each(begin, end, [&](int64_t v, T x) {
    bad |= x != x || x == static_cast<T>(INFINITY);  // which a cap would hide
    any_finite |= x > -static_cast<T>(INFINITY);
    seen.see(row.capped(x), v);
  });
  seen.combine();
  Part<T> part{seen.top,
               0,
               0,
               seen.maxima,
               seen.first,
               seen.tail,
               seen.distance,
               block_count(bad) > 0,
               block_count(any_finite) > 0,
               {}};
  const auto at = [&](int64_t v) { return v >= begin && v < end ? row.capped(row.logit(v)) : T{0}; };
  part.at_only = part.at_target = at(task.target);
  if (!is_walked(rule, task)) return part;
  Walk& walk = part.walk;
  row.each(begin, end, [&](int64_t v, T x) {
    const double r = rule.r(task, v), q = rule.q(task, v);
    if (r == 0 && q == 0) return;  // so that 0·∞ is 0
    const T a = row.capped(x);
    const double distance = a == part.top ? 0.0 : static_cast<double>(part.top - a);
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
  });
  walk = {block_sum(walk.r_sum),      block_sum(walk.r_distance), block_sum(walk.q_sum),
          block_sum(walk.q_distance), block_count(walk.count),    block_least(walk.only)};
  part.at_only = at(walk.only);
  return part;
}

// Of a whole row of n classes, from its parts in their order.
template <class T>
__device__ Part<T> combined(const Part<T>* parts, int64_t n, const RowTask& task) {
  const int64_t count = (n + of_a_part - 1) / of_a_part;
  Part<T> all{parts[0].top, 0, 0, 0, no_place, 0, 0, false, false, {}};
  for (int64_t p = 1; p < count; ++p) all.top = gpu::Larger{}(all.top, parts[p].top);
  for (int64_t p = 0; p < count; ++p) {
    const Part<T>& part = parts[p];
    const int64_t classes = (p + 1 < count ? (p + 1) * of_a_part : n) - p * of_a_part;
    all.bad |= part.bad;
    all.any_finite |= part.any_finite;
    double lower = 0;
    if (part.top == all.top) {
      all.maxima += part.maxima;
      all.tail += part.tail;
      all.first = part.first < all.first ? part.first : all.first;
      all.distance += part.distance;
    } else {
      lower = static_cast<double>(all.top - part.top);
      all.tail += (part.tail + static_cast<double>(part.maxima)) * Online<T>::exp_of(part.top - all.top);
      all.distance += part.distance + static_cast<double>(classes) * lower;
    }
    all.walk.r_sum += part.walk.r_sum;
    all.walk.q_sum += part.walk.q_sum;
    all.walk.r_distance += part.walk.r_distance + (part.walk.r_sum != 0 ? part.walk.r_sum * lower : 0);
    all.walk.q_distance += part.walk.q_distance + (part.walk.q_sum != 0 ? part.walk.q_sum * lower : 0);
    all.walk.count += part.walk.count;
    all.walk.only = part.walk.only < all.walk.only ? part.walk.only : all.walk.only;
  }
  all.at_only = all.at_target = parts[task.target / of_a_part].at_target;
  if (all.walk.only != no_place) all.at_only = parts[all.walk.only / of_a_part].at_only;
  return all;
}

}  // namespace seqgrad

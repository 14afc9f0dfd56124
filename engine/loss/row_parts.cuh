// What a block learns of the logits of a row, of all its classes or of a part of them, and how parts are put together.
// Logits are read once: each thread holds its own in shared memory. Sums of a thread are in the row's precision for at
// most 64 terms, then in float64; threads and parts are combined in one fixed order.
#pragma once
#include "engine/loss/row_math.cuh"
#include "engine/ops/vector_math.h"

namespace seqgrad {

constexpr int64_t no_place = INT64_MAX;
constexpr int terms_at_once = 64;
// Classes of a part: as many as fit in the 48 KiB of shared memory that any GPU gives without being asked.
template <class T>
constexpr int64_t of_a_part = sizeof(T) == 4 ? 8192 : 4096;

template <class T>
struct Top {
  T value = -static_cast<T>(INFINITY);
  int seen = 0;  // bits: a NaN or +inf, which a cap would hide; a number above -inf
  static constexpr int bad = 1, number = 2;

  __device__ friend Top from_lane(const Top& x, int mask) {
    return {gpu::from_lane(x.value, mask), gpu::from_lane(x.seen, mask)};
  }
  __device__ Top operator+(const Top& o) const { return {value > o.value ? value : o.value, seen | o.seen}; }
};

struct Sums {
  double tail = 0, distance = 0;         // Σ exp(a − top) over a < top; Σ (top − a), where it is wanted
  int64_t maxima = 0, first = no_place;  // how often a = top, and where first

  __device__ friend Sums from_lane(const Sums& x, int mask) {
    return {gpu::from_lane(x.tail, mask), gpu::from_lane(x.distance, mask), gpu::from_lane(x.maxima, mask),
            gpu::from_lane(x.first, mask)};
  }
  __device__ Sums operator+(const Sums& o) const {
    return {tail + o.tail, distance + o.distance, maxima + o.maxima, first < o.first ? first : o.first};
  }
};

// Σ r, Σ r·(top − a) and the same of q, for distributions that are walked class by class.
struct Walk {
  double r_sum = 0, r_distance = 0, q_sum = 0, q_distance = 0;
  int64_t count = 0, only = no_place;  // how many r are not 0, and the place of the first

  __device__ friend Walk from_lane(const Walk& x, int mask) {
    return {gpu::from_lane(x.r_sum, mask),      gpu::from_lane(x.r_distance, mask), gpu::from_lane(x.q_sum, mask),
            gpu::from_lane(x.q_distance, mask), gpu::from_lane(x.count, mask),      gpu::from_lane(x.only, mask)};
  }
  __device__ Walk operator+(const Walk& o) const {
    return {r_sum + o.r_sum,           r_distance + o.r_distance, q_sum + o.q_sum,
            q_distance + o.q_distance, count + o.count,           only < o.only ? only : o.only};
  }
};
static_assert(sizeof(Walk) >= sizeof(Sums) && row_shared >= row_threads_most<float> / gpu::warp * sizeof(Walk));

template <class S>
__device__ S block_total(const S& x) {
  return gpu::block_reduce(x, gpu::shared_memory<S>(), gpu::Plus{});
}

template <class T>
struct Part {
  Top<T> top;
  T at_target, at_only;  // logits of the target and of walk.only, where they are among its classes
  Sums sums;
  Walk walk;
};

template <class T, int N>
struct alignas(N * sizeof(T)) Pack {
  static constexpr int size = N;
  T x[N];

  __device__ void get(const T* from) { *this = *reinterpret_cast<const Pack*>(from); }
  __device__ void put(T* to) const { *reinterpret_cast<Pack*>(to) = *this; }
};

// The logits of the classes [begin,end) of a row, with the bias that is still to be added and the cap.
template <class T>
struct Row {
  T *z, *g;
  const T* bias;
  T kappa;
  int64_t begin;
  int n;
  bool packed;  // all are aligned to 16 bytes: a function of V, since arrays are

  static constexpr int pack = sizeof(T) == 4 ? 4 : 1;  // float64 is for checks, and has not the registers

  __device__ Row(const kernels::RowLoss<T>& k, int64_t at, int64_t first, int64_t end)
      : z(k.x + at + first),
        g(k.g ? k.g + at + first : nullptr),
        bias(k.bias ? k.bias + first : nullptr),
        kappa(static_cast<T>(k.rule.softcap)),
        begin(first),
        n(static_cast<int>(end - first)) {
    const auto address = [](const T* p) { return reinterpret_cast<uintptr_t>(p); };
    packed = (address(z) | address(g) | address(bias)) % sizeof(Pack<T, pack>) == 0 && k.rule.classes % pack == 0;
  }

  __device__ bool has(int64_t v) const { return v >= begin && v < begin + n; }
  __device__ T logit(int64_t v) const { return bias ? z[v - begin] + bias[v - begin] : z[v - begin]; }
  __device__ T at(int64_t v) const {
    Pack<T, 1> x{};
    if (has(v)) x.x[0] = logit(v), cap(x);
    return x.x[0];
  }
  // Whether this thread is the one that visits class v.
  __device__ bool visits(int64_t v) const {
    return has(v) && static_cast<unsigned>(v - begin) / (packed ? pack : 1) % blockDim.x == threadIdx.x;
  }

  // The logits from class begin + i on.
  template <int N>
  __device__ void load(int i, Pack<T, N>& x) const {
    x.get(z + i);
    if (!bias) return;
    Pack<T, N> b;
    b.get(bias + i);
    for (int j = 0; j < N; ++j) x.x[j] += b.x[j];
  }
  template <int N>
  __device__ void cap(Pack<T, N>& x) const {
    if (kappa > 0)
      for (int j = 0; j < N; ++j) x.x[j] = kappa * fast_tanh(x.x[j] / kappa);
  }

  // Their maximum after the cap, of this thread; they are held from here on.
  __device__ Top<T> read() const {
    constexpr T inf = static_cast<T>(INFINITY);
    T raw = -inf, top = -inf;
    bool bad = false;
    visit<4>([&](int i, auto& x) { load(i, x); },
             [&](int i, auto& x) {
               for (int j = 0; j < x.size; ++j) bad |= !(x.x[j] < inf);
               for (int j = 0; j < x.size; ++j) raw = std::fmax(raw, x.x[j]);
               if (kappa > 0) {
                 cap(x);
                 for (int j = 0; j < x.size; ++j) top = std::fmax(top, x.x[j]);
               }
               x.put(memory() + i);
             });
    return {kappa > 0 ? top : raw, (bad ? Top<T>::bad : 0) | (raw > -inf ? Top<T>::number : 0)};
  }
  template <class F>
  __device__ void each(const F& f) const {
    visit<1>([&](int i, auto& x) { x.get(memory() + i); }, f);
  }
  // What f(i, x) makes of packs of logits after the cap goes where gradients go.
  template <bool is_held, class F>
  __device__ void give(const F& f) const {
    visit<1>(
        [&](int i, auto& x) {
          if constexpr (is_held)
            x.get(memory() + i);
          else
            load(i, x), cap(x);
        },
        [&](int i, auto& x) {
          f(i, x);
          x.put(g + i);
        });
  }

 private:
  __device__ static T* memory() { return reinterpret_cast<T*>(gpu::shared_memory<unsigned char>() + row_shared); }

  // f(i, x) for all packs x of this thread, from class begin + i on; `at_once` of them are loaded first.
  template <int at_once, class Load, class F>
  __device__ void visit(const Load& load, const F& f) const {
    if (packed) return visit_packs<at_once, pack>(load, f);
    if constexpr (pack > 1) visit_packs<at_once, 1>(load, f);
  }
  template <int at_once, int N, class Load, class F>
  __device__ void visit_packs(const Load& load, const F& f) const {
    const int step = static_cast<int>(blockDim.x) * N;
    for (int i = static_cast<int>(threadIdx.x) * N; i < n; i += at_once * step) {
      Pack<T, N> x[at_once];
      for (int j = 0; j < at_once; ++j)
        if (i + j * step < n) load(i + j * step, x[j]);
      for (int j = 0; j < at_once; ++j)
        if (i + j * step < n) f(i + j * step, x[j]);
    }
  }
};

__device__ inline bool is_walked(const RowRule& rule, const RowTask& task) {
  return rule.off_row || rule.class_weight || task.q;
}
// Whether a constant part of the mass lies on all classes, and Σ (top − a) is wanted.
__device__ inline bool is_flat(const RowRule& rule, const RowTask& task) {
  return rule.off != 0 && !is_walked(rule, task);
}

// By all threads of a block, to all.
template <class T>
__device__ Part<T> scan(const RowRule& rule, const RowTask& task, const Row<T>& row) {
  Part<T> part;
  part.at_only = part.at_target = row.at(task.target);
  part.top = block_total(row.read());
  const T top = part.top.value;
  const bool flat = is_flat(rule, task);
  Sums s;
  T tail = 0, distance = 0;
  int terms = 0;
  const auto close = [&] {
    s.tail += static_cast<double>(tail);
    s.distance += static_cast<double>(distance);
    tail = distance = 0;
    terms = 0;
  };
  row.each([&](int i, auto& x) {
    T most = x.x[0];
    for (int j = 1; j < x.size; ++j) most = std::fmax(most, x.x[j]);
    if (most != top) {
      for (int j = 0; j < x.size; ++j) tail += std::exp(x.x[j] - top);
    } else {
      for (int j = 0; j < x.size; ++j)
        if (x.x[j] == top)
          ++s.maxima, s.first = s.first < row.begin + i + j ? s.first : row.begin + i + j;
        else
          tail += std::exp(x.x[j] - top);
    }
    for (int j = 0; flat && j < x.size;
         ++j)  // where all of a part is -inf, so is its top: the whole row's may be finite
      distance += x.x[j] == top ? T{0} : top - x.x[j];
    if ((terms += x.size) >= terms_at_once) close();
  });
  close();
  part.sums = block_total(s);
  if (!is_walked(rule, task)) return part;
  Walk walk;
  row.each([&](int i, auto& x) {
    for (int j = 0; j < x.size; ++j) {
      const T a = x.x[j];
      const int64_t v = row.begin + i + j;
      const double r = rule.r(task, v), q = rule.q(task, v);
      if (r == 0 && q == 0) continue;  // so that 0·∞ is 0
      const double distance_of = a == top ? 0.0 : static_cast<double>(top - a);
      if (r != 0) {
        walk.r_sum += r;
        walk.r_distance += r * distance_of;
        ++walk.count;
        walk.only = v < walk.only ? v : walk.only;
      }
      if (q != 0) {
        walk.q_sum += q;
        walk.q_distance += q * distance_of;
      }
    }
  });
  part.walk = block_total(walk);
  part.at_only = row.at(part.walk.only);
  return part;
}

// Of a whole row of n classes, from its parts: by a warp, a lane a part, to all of it.
template <class T>
__device__ Part<T> combined(const Part<T>* parts, int64_t n, const RowTask& task, bool walked) {
  const int count = static_cast<int>((n + of_a_part<T> - 1) / of_a_part<T>), lane = threadIdx.x % gpu::warp;
  Part<T> all;
  for (int p = lane; p < count; p += gpu::warp) all.top = all.top + parts[p].top;
  all.top = gpu::warp_reduce(all.top, gpu::Plus{});
  for (int p = lane; p < count; p += gpu::warp) {
    const T top = parts[p].top.value;
    Sums s = parts[p].sums;
    Walk w = parts[p].walk;
    if (top != all.top.value) {
      const double lower = static_cast<double>(all.top.value - top);
      const int64_t classes = p + 1 < count ? of_a_part<T> : n - p * of_a_part<T>;
      s.tail = (s.tail + static_cast<double>(s.maxima)) * static_cast<double>(std::exp(top - all.top.value));
      s.maxima = 0;
      s.first = no_place;
      s.distance += static_cast<double>(classes) * lower;
      w.r_distance += w.r_sum != 0 ? w.r_sum * lower : 0;
      w.q_distance += w.q_sum != 0 ? w.q_sum * lower : 0;
    }
    all.sums = all.sums + s;
    all.walk = all.walk + w;
  }
  all.sums = gpu::warp_reduce(all.sums, gpu::Plus{});
  all.at_only = all.at_target = parts[task.target / of_a_part<T>].at_target;
  if (!walked) return all;
  all.walk = gpu::warp_reduce(all.walk, gpu::Plus{});
  if (all.walk.only != no_place) all.at_only = parts[all.walk.only / of_a_part<T>].at_only;
  return all;
}

}  // namespace seqgrad

// The passes in vectors; the body of row_passes_base.cpp, row_passes_avx2.cpp and row_passes_avx512.cpp. What they
// compute is written plainly in row_passes.cpp, which is compared with each of them in a test.
#pragma once
#include "engine/ops/row_passes.h"
#include "engine/ops/vec_math.h"

namespace seqgrad::SEQGRAD_ISA {

template <int64_t count>
inline void normal_exp(const Vec<double>::value (&gap)[count], Vec<double>::value (&y)[count]) {
  for (int64_t j = 0; j < count; ++j)
    for (int64_t i = 0; i < Vec<double>::lanes; ++i) y[j][i] = __builtin_exp(-gap[j][i]);
}
constexpr int64_t together = 4;  // registers that go through normal_exp

template <class T>
constexpr T widest_gap = sizeof(T) == 4 ? T(87.33654) : T(708.3964185322641);  // of which exp(-gap) is a normal number

// What a pass fetches of the row after this one while it reads `vectors` registers from i on: as much of a quarter, or
// of two, of that row, which begins at `next`.
template <class T, int64_t vectors, int64_t quarters>
inline void fetch(const T* next, int64_t i) {
  constexpr int64_t count = vectors * Vec<T>::lanes * quarters / 4, line = 64 / sizeof(T);
  for (int64_t j = 0; j < count; j += line) __builtin_prefetch(next + i * quarters / 4 + j, 1, 2);
}

template <class T, class Load>
inline T maximum_where(int64_t n, const T* next, const Load& load_at) {
  using V = typename Vec<T>::value;
  using M = typename Vec<T>::mask;
  constexpr int64_t w = Vec<T>::lanes;
  constexpr T nothing = -__builtin_inf();
  V top[4] = {V{} + nothing, V{} + nothing, V{} + nothing, V{} + nothing};
  M nan[4] = {};
  const auto see = [&](int64_t j, V x) {
    top[j] = x > top[j] ? x : top[j];
    nan[j] |= x != x;
  };
  int64_t i = 0;
  for (; i + 4 * w <= n; i += 4 * w) {
    if (next) fetch<T, 4, 1>(next, i);
    for (int64_t j = 0; j < 4; ++j) see(j, load_at(i + j * w, w));
  }
  for (; i < n; i += w) see(0, load_at(i, n - i < w ? n - i : w));
  T best = nothing;
  bool any_nan = false;
  for (int64_t j = 0; j < 4; ++j)
    for (int64_t k = 0; k < w; ++k) {
      best = top[j][k] > best ? top[j][k] : best;
      any_nan |= nan[j][k] != 0;
    }
  return any_nan ? static_cast<T>(__builtin_nan("")) : best;
}

template <class T>
inline T maximum_unbiased(const T* x, int64_t n, const T* next) {
  constexpr T nothing = -__builtin_inf();
  return maximum_where<T>(n, next, [&](int64_t i, int64_t count) { return load_some<T>(x + i, count, nothing); });
}

template <class T>
T maximum_of(const T* x, int64_t n) {
  return maximum_unbiased<T>(x, n, nullptr);
}

template <class T>
T maximum(T* x, const T* bias, int64_t n, const T* next) {
  constexpr T nothing = -__builtin_inf();
  if (!bias) return maximum_unbiased<T>(x, n, next);
  return maximum_where<T>(n, next, [&](int64_t i, int64_t count) {
    const auto sum = load_some<T>(x + i, count, nothing) + load_some<T>(bias + i, count, T{0});
    store_some<T>(x + i, count, sum);
    return sum;
  });
}

// A float64 for each lane of a register.
template <class T>
struct WideSums {
  static constexpr int64_t parts = sizeof(double) / sizeof(T), lanes = Vec<double>::lanes;
  Vec<double>::value sums[parts] = {};

  void add(typename Vec<T>::value x) {
    typename Vec<T>::narrow part[parts];
    __builtin_memcpy(part, &x, sizeof x);
    for (int64_t p = 0; p < parts; ++p) sums[p] += __builtin_convertvector(part[p], Vec<double>::value);
  }
  double total() const {
    double all = 0;
    for (int64_t p = 0; p < parts; ++p)
      for (int64_t k = 0; k < lanes; ++k) all += sums[p][k];
    return all;
  }
};

constexpr int64_t terms = 16;  // a lane adds so many numbers before float64 takes over

template <class T>
struct RowSums {
  WideSums<T> tail, distance;
  typename Vec<T>::mask maxima{};
};

// The second pass over n numbers of a row, at most 2 * terms registers of them, which adds to the row's sums.
template <class T, Distance kind>
inline void exponentials_of_part(const T* a, T top, T* e, int64_t n, const T* weights, const T* next, RowSums<T>& row) {
  using V = typename Vec<T>::value;
  using M = typename Vec<T>::mask;
  constexpr int64_t w = Vec<T>::lanes;
  V sums[2] = {}, gaps[2] = {};  // of every other register, so that neither waits for the one before
  const auto add = [&](int64_t j, V gap, V x, M counted, V weight) {
    sums[j % 2] += x;
    if constexpr (kind == Distance::plain) gaps[j % 2] += counted ? gap : V{};
    if constexpr (kind == Distance::weighted) gaps[j % 2] += weight != T{0} ? weight * gap : V{};  // 0·∞ is 0
  };
  // The same where some gap may be 0, of a maximum, or so wide that x is to be 0.
  const auto add_any = [&](int64_t j, V gap, V& x, M counted, V weight) {
    const M is_top = gap == T{0};
    row.maxima -= is_top & counted;
    x = gap > widest_gap<T> ? V{} : x;
    add(j, gap, is_top ? V{} : x, counted, weight);
  };
  int64_t i = 0;
  for (; i + together * w <= n; i += together * w) {
    if (next) fetch<T, together, 2>(next, i);
    V gap[together], x[together], weight[together] = {};
    for (int64_t j = 0; j < together; ++j) gap[j] = top - load<T>(a + i + j * w);
    normal_exp(gap, x);
    if constexpr (kind == Distance::weighted)
      for (int64_t j = 0; j < together; ++j) weight[j] = load<T>(weights + i + j * w);
    V low = gap[0], high = gap[0];
    for (int64_t j = 1; j < together; ++j) low = min(low, gap[j]), high = max(high, gap[j]);
    if (any((low == T{0}) | (high > widest_gap<T>)))
      for (int64_t j = 0; j < together; ++j) add_any(j, gap[j], x[j], ~M{}, weight[j]);
    else
      for (int64_t j = 0; j < together; ++j) add(j, gap[j], x[j], ~M{}, weight[j]);
    for (int64_t j = 0; j < together; ++j) store<T>(e + i + j * w, x[j]);
  }
  for (int64_t j = 0; i < n; i += w, ++j) {
    const int64_t count = n - i < w ? n - i : w;
    M counted{};
    for (int64_t k = 0; k < count; ++k) counted[k] = -1;
    const V weight = kind == Distance::weighted ? load_some<T>(weights + i, count, T{0}) : V{};
    const V gap[1] = {top - load_some<T>(a + i, count, top)};
    V x[1];
    normal_exp(gap, x);
    add_any(j, gap[0], x[0], counted, weight);
    store_some<T>(e + i, count, x[0]);
  }
  for (const V& sum : sums) row.tail.add(sum);
  if constexpr (kind != Distance::none)
    for (const V& gap : gaps) row.distance.add(gap);
}

template <class T, Distance kind>
ExpSums exponentials_of(const T* a, T top, T* e, int64_t n, const T* weights, const T* next) {
  constexpr int64_t part = 2 * terms * Vec<T>::lanes;
  RowSums<T> row;
  for (int64_t i = 0; i < n; i += part)
    exponentials_of_part<T, kind>(a + i, top, e + i, n - i < part ? n - i : part, weights ? weights + i : nullptr,
                                  next ? next + i / 2 : nullptr, row);
  ExpSums out{row.tail.total(), row.distance.total(), 0};
  for (int64_t k = 0; k < Vec<T>::lanes; ++k) out.maxima += row.maxima[k];
  return out;
}

template <class T>
ExpSums exponentials(const T* a, T top, T* e, int64_t n, Distance distance, const T* weights, const T* next) {
  if (next) next += n / 4;
  switch (distance) {
    case Distance::none: return exponentials_of<T, Distance::none>(a, top, e, n, weights, next);
    case Distance::plain: return exponentials_of<T, Distance::plain>(a, top, e, n, weights, next);
    case Distance::weighted: break;
  }
  return exponentials_of<T, Distance::weighted>(a, top, e, n, weights, next);
}

template <class T, class Change>
inline void change(T* e, int64_t n, const T* next, const Change& changed) {
  constexpr int64_t w = Vec<T>::lanes;
  if (next) next += n / 4 * 3;
  int64_t i = 0;
  for (; i + 4 * w <= n; i += 4 * w) {
    if (next) fetch<T, 4, 1>(next, i);
    for (int64_t j = i; j < i + 4 * w; j += w) store<T>(e + j, changed(load<T>(e + j), j, w));
  }
  for (; i < n; i += w) {
    const int64_t count = n - i < w ? n - i : w;
    store_some<T>(e + i, count, changed(load_some<T>(e + i, count, T{0}), i, count));
  }
}

template <class T>
void scale_and_shift(T* e, T factor, T shift, int64_t n, const T* next) {
  using V = typename Vec<T>::value;
  change<T>(e, n, next, [=](V x, int64_t, int64_t) { return x * factor - shift; });
}

template <class T>
void scale_and_subtract(T* e, T factor, T shift, const T* weights, int64_t n, const T* next) {
  using V = typename Vec<T>::value;
  change<T>(e, n, next,
            [=](V x, int64_t i, int64_t count) { return x * factor - load_some<T>(weights + i, count, T{0}) * shift; });
}

template <class T, class Q>
int64_t make_weights_of(const WeightTables& tables, const Q* q, T* weights, int64_t n) {
  using D = Vec<double>::value;
  constexpr int64_t w = Vec<double>::lanes;
  constexpr double least = sizeof(T) == 4 ? 0x1p-126 : 0x1p-1022;
  Vec<double>::mask nonzero{};
  const auto weight = [&](const auto& read) {
    D x = (tables.off_row ? read(tables.off_row) : D{} + tables.off) + read(q) * tables.on;
    if (tables.scale) x *= read(tables.scale);
    x = ((x > 0.0) & (x < least)) ? D{} + least : x;
    x = ((x < 0.0) & (x > -least)) ? D{} - least : x;
    return x;
  };
  int64_t i = 0;
  for (; i + w <= n; i += w) {
    const D x = weight([&]<class Number>(const Number* table) {
      typename Vec<Number>::narrow y;
      __builtin_memcpy(&y, table + i, sizeof y);
      return __builtin_convertvector(y, D);
    });
    nonzero -= x != 0.0;
    const auto y = __builtin_convertvector(x, typename Vec<T>::narrow);
    __builtin_memcpy(weights + i, &y, sizeof y);
  }
  if (i < n) {
    const D x = weight([&]<class Number>(const Number* table) {
      D y{};
      for (int64_t k = 0; k < n - i; ++k) y[k] = static_cast<double>(table[i + k]);
      return y;
    });
    for (int64_t k = 0; k < n - i; ++k) {
      nonzero[k] -= x[k] != 0.0 ? -1 : 0;
      weights[i + k] = static_cast<T>(x[k]);
    }
  }
  int64_t sum = 0;
  for (int64_t k = 0; k < w; ++k) sum += nonzero[k];
  return sum;
}

template <class T>
int64_t make_weights(const WeightTables& tables, T* weights, int64_t n) {
  return tables.q_f64 ? make_weights_of(tables, tables.q_f64, weights, n)
                      : make_weights_of(tables, tables.q_f32, weights, n);
}

// A constant, not an initialiser that runs: that would run on machines without these instructions, too.
template <class T>
inline constexpr RowPasses<T> row_passes_of(const char* isa) {
  return {isa, maximum<T>, maximum_of<T>, exponentials<T>, scale_and_shift<T>, scale_and_subtract<T>, make_weights<T>};
}

}  // namespace seqgrad::SEQGRAD_ISA

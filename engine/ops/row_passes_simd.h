// The passes in vectors; the body of row_passes_base.cpp, row_passes_avx2.cpp and row_passes_avx512.cpp. What they
// compute is written plainly in row_passes.cpp, which is compared with each of them in a test.
#pragma once
#include "engine/core/vec.h"
#include "engine/ops/row_passes.h"

namespace seqgrad::SEQGRAD_ISA {

// exp for x <= 0: x = n·ln 2 + f, a polynomial for exp(f) (Cephes' expf), and n added to the exponent's bits.
inline FloatVec exp_below_zero(FloatVec x) {
  constexpr float lowest = -87.33654f, rounder = 12582912.0f;  // 1.5·2^23: adding it rounds to an integer
  const FloatVec shifted = x * 1.44269504f + rounder;
  const FloatVec n = shifted - rounder;
  const FloatVec f = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  FloatVec p = f * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  p = p * (f * f) + f + 1.0f;
  // The low bits of `shifted` are n; what stands above them leaves on the left. Below `lowest` y is rubbish.
  const FloatVec y = (FloatVec)((FloatBits)p + ((FloatBits)shifted << 23));
  return x < lowest ? FloatVec{} : y;
}
inline Vec<double>::value exp_below_zero(Vec<double>::value x) {
  for (int64_t i = 0; i < Vec<double>::lanes; ++i) x[i] = __builtin_exp(x[i]);
  return x;
}

template <class T, class Load>
inline T maximum_where(int64_t n, const Load& load_at) {
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
  for (; i + 4 * w <= n; i += 4 * w)
    for (int64_t j = 0; j < 4; ++j) see(j, load_at(i + j * w, w));
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
T maximum_of(const T* x, int64_t n) {
  constexpr int64_t w = Vec<T>::lanes;
  constexpr T nothing = -__builtin_inf();
  return maximum_where<T>(
      n, [&](int64_t i, int64_t count) { return count == w ? load<T>(x + i) : load_some<T>(x + i, count, nothing); });
}

template <class T>
T maximum(T* x, const T* bias, int64_t n) {
  constexpr int64_t w = Vec<T>::lanes;
  constexpr T nothing = -__builtin_inf();
  if (!bias) return maximum_of<T>(x, n);
  return maximum_where<T>(n, [&](int64_t i, int64_t count) {
    if (count == w) {
      const auto sum = load<T>(x + i) + load<T>(bias + i);
      store<T>(x + i, sum);
      return sum;
    }
    const auto sum = load_some<T>(x + i, count, nothing) + load_some<T>(bias + i, count, T{0});
    store_some<T>(x + i, count, sum);
    return sum;
  });
}

template <class T, Distance kind>
ExpSums exponentials_of(const T* a, T top, T* e, int64_t n, const T* weights, const T* next) {
  using V = typename Vec<T>::value;
  using M = typename Vec<T>::mask;
  using Wide = typename Vec<T>::wide;
  constexpr int64_t w = Vec<T>::lanes, terms = 16;  // a lane adds `terms` numbers before float64 takes over
  Wide tail{}, distance{};
  M maxima[4] = {};
  for (int64_t begin = 0; begin < n; begin += 4 * terms * w) {
    const int64_t end = n - begin < 4 * terms * w ? n : begin + 4 * terms * w;
    V sums[4] = {}, gaps[4] = {};
    const auto accumulate = [&](int64_t j, V gap, M counted, V weight) {
      const V x = exp_below_zero(-gap);
      const M is_top = gap == T{0};
      sums[j] += is_top ? V{} : x;
      maxima[j] -= is_top & counted;
      if constexpr (kind == Distance::plain) gaps[j] += counted ? gap : V{};
      if constexpr (kind == Distance::weighted) gaps[j] += weight != T{0} ? weight * gap : V{};  // 0·∞ is 0
      return x;
    };
    int64_t i = begin;
    for (; i + 4 * w <= end; i += 4 * w)
      for (int64_t j = 0; j < 4; ++j) {
        __builtin_prefetch(next + i + j * w, 1, 2);
        const V weight = kind == Distance::weighted ? load<T>(weights + i + j * w) : V{};
        store<T>(e + i + j * w, accumulate(j, top - load<T>(a + i + j * w), ~M{}, weight));
      }
    for (; i < end; i += w) {
      const int64_t count = end - i < w ? end - i : w;
      M counted{};
      for (int64_t k = 0; k < count; ++k) counted[k] = -1;
      const V weight = kind == Distance::weighted ? load_some<T>(weights + i, count, T{0}) : V{};
      store_some<T>(e + i, count, accumulate(0, top - load_some<T>(a + i, count, top), counted, weight));
    }
    for (int64_t j = 0; j < 4; ++j) {
      tail += __builtin_convertvector(sums[j], Wide);
      if constexpr (kind != Distance::none) distance += __builtin_convertvector(gaps[j], Wide);
    }
  }
  ExpSums out{0, 0, 0};
  for (int64_t k = 0; k < w; ++k) {
    out.tail += tail[k];
    out.distance += distance[k];
    for (int64_t j = 0; j < 4; ++j) out.maxima += maxima[j][k];
  }
  return out;
}

template <class T>
ExpSums exponentials(const T* a, T top, T* e, int64_t n, Distance distance, const T* weights, const T* next) {
  if (!next) next = a;
  switch (distance) {
    case Distance::none: return exponentials_of<T, Distance::none>(a, top, e, n, weights, next);
    case Distance::plain: return exponentials_of<T, Distance::plain>(a, top, e, n, weights, next);
    case Distance::weighted: break;
  }
  return exponentials_of<T, Distance::weighted>(a, top, e, n, weights, next);
}

template <class T>
void scale_and_shift(T* e, T factor, T shift, int64_t n) {
  constexpr int64_t w = Vec<T>::lanes;
  int64_t i = 0;
  for (; i + w <= n; i += w) store<T>(e + i, load<T>(e + i) * factor - shift);
  if (i < n) store_some<T>(e + i, n - i, load_some<T>(e + i, n - i, T{0}) * factor - shift);
}

template <class T>
void scale_and_subtract(T* e, T factor, T shift, const T* weights, int64_t n) {
  constexpr int64_t w = Vec<T>::lanes;
  int64_t i = 0;
  for (; i + w <= n; i += w) store<T>(e + i, load<T>(e + i) * factor - load<T>(weights + i) * shift);
  if (i < n)
    store_some<T>(e + i, n - i,
                  load_some<T>(e + i, n - i, T{0}) * factor - load_some<T>(weights + i, n - i, T{0}) * shift);
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

// The passes as plain loops, which say what the vector kernels compute, and the choice of an instruction set.
#include "engine/ops/row_passes.h"

#include <cmath>
#include <limits>

#include "engine/core/isa.h"
#include "engine/ops/vector_math.h"

namespace seqgrad {

extern const RowPasses<float> row_passes_base_f32, row_passes_avx2_f32, row_passes_avx512_f32;
extern const RowPasses<double> row_passes_base_f64, row_passes_avx2_f64, row_passes_avx512_f64;

namespace {

template <class T>
T plain_maximum_of(const T* x, int64_t n) {
  T top = -std::numeric_limits<T>::infinity();
  for (int64_t i = 0; i < n; ++i) {
    if (std::isnan(x[i])) return x[i];
    if (x[i] > top) top = x[i];
  }
  return top;
}

template <class T>
T plain_maximum(T* x, const T* bias, int64_t n, const T*) {
  for (int64_t i = 0; bias && i < n; ++i) x[i] += bias[i];
  return plain_maximum_of(x, n);
}

template <class T>
ExpSums plain_exponentials(const T* a, T top, T* e, int64_t n, Distance distance, const T* weights, const T*) {
  ExpSums out{0, 0, 0};
  for (int64_t i = 0; i < n; ++i) {
    const T gap = top - a[i];
    const T x = std::exp(-gap);
    if (gap == 0)
      ++out.maxima;
    else
      out.tail += static_cast<double>(x);
    const T weight = distance == Distance::weighted ? weights[i] : static_cast<T>(distance == Distance::plain);
    if (weight != 0) out.distance += static_cast<double>(weight) * static_cast<double>(gap);  // so that 0·∞ is 0
    e[i] = x < std::numeric_limits<T>::min() ? T{0} : x;
  }
  return out;
}

template <class T>
void plain_scale_and_shift(T* e, T factor, T shift, int64_t n, const T*) {
  for (int64_t i = 0; i < n; ++i) e[i] = e[i] * factor - shift;
}

template <class T>
void plain_scale_and_subtract(T* e, T factor, T shift, const T* weights, int64_t n, const T*) {
  for (int64_t i = 0; i < n; ++i) e[i] = e[i] * factor - shift * weights[i];
}

template <class T>
int64_t plain_make_weights(const WeightTables& t, T* weights, int64_t n) {
  int64_t nonzero = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double q = t.q_f64 ? t.q_f64[i] : static_cast<double>(t.q_f32[i]),
                 mixed = (t.off_row ? t.off_row[i] : t.off) + t.on * q;
    weights[i] = as_weight<T>(t.scale ? t.scale[i] * mixed : mixed);
    nonzero += weights[i] != 0;
  }
  return nonzero;
}

template <class T>
constexpr RowPasses<T> plain{"plain",
                             plain_maximum<T>,
                             plain_maximum_of<T>,
                             plain_exponentials<T>,
                             plain_scale_and_shift<T>,
                             plain_scale_and_subtract<T>,
                             plain_make_weights<T>};

template <class T>
const RowPasses<T>& of(const RowPasses<float>& f32, const RowPasses<double>& f64) {
  if constexpr (sizeof(T) == sizeof(float))
    return f32;
  else
    return f64;
}

}  // namespace

template <class T>
std::span<const RowPasses<T>* const> all_row_passes() {
  static const struct Available {
    const RowPasses<T>* list[4] = {&plain<T>, &of<T>(row_passes_base_f32, row_passes_base_f64)};
    size_t count = 2;
    Available() {
#if defined(__x86_64__)
      if (isa() >= Isa::avx2) list[count++] = &of<T>(row_passes_avx2_f32, row_passes_avx2_f64);
      if (isa() >= Isa::avx512) list[count++] = &of<T>(row_passes_avx512_f32, row_passes_avx512_f64);
#endif
    }
  } found;
  return {found.list, found.count};
}

template <class T>
const RowPasses<T>& row_passes() {
  static const RowPasses<T>& best = *all_row_passes<T>().back();
  return best;
}

template std::span<const RowPasses<float>* const> all_row_passes();
template std::span<const RowPasses<double>* const> all_row_passes();
template const RowPasses<float>& row_passes();
template const RowPasses<double>& row_passes();

}  // namespace seqgrad

// Tiles and panels in vectors; the body of f32_kernels_avx2.cpp and f32_kernels_avx512.cpp. f32_kernels.cpp says them
// plainly.
#pragma once
#include <utility>

#include "engine/core/vec.h"
#include "engine/device/f32_kernels.h"

namespace seqgrad::SEQGRAD_ISA {

constexpr int64_t lanes = Vec<float>::lanes;
// A tile's sums fill the registers but for the vectors of B and an element of A: 24 of 32, or 12 of 16, and then higher
// than wide, so that a panel of some hundred rows stays in the first cache.
constexpr int64_t most_vectors = SEQGRAD_VECTOR_BYTES == 64 ? 3 : 2, columns = most_vectors * lanes;
constexpr int64_t most_rows = SEQGRAD_VECTOR_BYTES == 64 ? 8 : 6;
// One or two rows have so few sums in a panel that each waits for the one before it, so they take more than one panel.
constexpr int64_t few_rows = 2, vectors_of_few_rows = 6;

// Of C: where it begins, and what it begins with.
struct Place {
  const float* start;
  int64_t start_ld;
  float* c;
  int64_t ldc, span;  // columns
};

template <int64_t rows, int64_t vectors, bool transposed>
void block_of(int64_t k, const float* a, int64_t lda, const float* b, const Place& to) {
  FloatVec sum[rows][vectors];
#pragma GCC unroll 8
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) sum[r][v] = FloatVec{};
  const int64_t panel = columns * k;
  for (int64_t i = 0; i < k; ++i, b += columns) {
    FloatVec right[vectors];
    for (int64_t v = 0; v < vectors; ++v)
      right[v] = load<float>(b + v / most_vectors * panel + v % most_vectors * lanes);
#pragma GCC unroll 8
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t v = 0; v < vectors; ++v)
        sum[r][v] = fused(broadcast(transposed ? a[i * lda + r] : a[r * lda + i]), right[v], sum[r][v]);
  }
  if (to.span >= vectors * lanes) {
#pragma GCC unroll 8
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t v = 0; v < vectors; ++v)
        store<float>(to.c + r * to.ldc + lanes * v,
                     to.start ? load<float>(to.start + r * to.start_ld + lanes * v) + sum[r][v] : sum[r][v]);
    return;
  }
  float all[rows][vectors * lanes];
#pragma GCC unroll 8
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) store<float>(&all[r][lanes * v], sum[r][v]);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < to.span; ++j)
      to.c[r * to.ldc + j] = to.start ? to.start[r * to.start_ld + j] + all[r][j] : all[r][j];
}

template <int64_t rows, int64_t vectors, bool transposed>
void columns_of(int64_t k, const float* a, int64_t lda, const float* b, const Place& to) {
  if constexpr (vectors > 1)
    if (to.span <= (vectors - 1) * lanes) return columns_of<rows, vectors - 1, transposed>(k, a, lda, b, to);
  block_of<rows, vectors, transposed>(k, a, lda, b, to);
}

template <int64_t rows, bool transposed>
void rows_of(int64_t height, int64_t k, const float* a, int64_t lda, const float* b, const Place& to) {
  if constexpr (rows > 1)
    if (height < rows) return rows_of<rows - 1, transposed>(height, k, a, lda, b, to);
  columns_of<rows, rows <= few_rows ? vectors_of_few_rows : most_vectors, transposed>(k, a, lda, b, to);
}

inline void tile(int64_t k, const float* a, int64_t lda, bool transposed, const float* b, const float* start,
                 int64_t start_ld, float* c, int64_t ldc, int64_t height, int64_t span) {
  const auto run = transposed ? rows_of<most_rows, true> : rows_of<most_rows, false>;
  const int64_t step = height <= few_rows ? vectors_of_few_rows * lanes : columns;
  for (int64_t j = 0; j < span; j += step)
    run(height, k, a, lda, b + j * k,
        {start ? start + j : nullptr, start_ld, c + j, ldc, j + step < span ? step : span - j});
}

// The lanes of a half of x and y, the first or second one, in turns.
template <int half, size_t... i>
FloatVec alternate(FloatVec x, FloatVec y, std::index_sequence<i...>) {
  constexpr int begin = half * static_cast<int>(lanes) / 2;
  return __builtin_shufflevector(x, y, (begin + static_cast<int>(i / 2 + (i % 2) * lanes))...);
}

// to [lanes,lanes], whose rows lie ld_to apart, is the transpose of `from`, of which `count` rows are there and the
// others 0: each round moves the upper half of the rows between those of the lower, and the lanes with them.
inline void transpose(const float* from, int64_t ld_from, int64_t count, float* to, int64_t ld_to) {
  constexpr auto all = std::make_index_sequence<lanes>{};
  FloatVec rows[lanes], next[lanes];
#pragma GCC unroll 16
  for (int64_t i = 0; i < lanes; ++i) rows[i] = i < count ? load<float>(from + i * ld_from) : FloatVec{};
#pragma GCC unroll 4
  for (int64_t round = 1; round < lanes; round *= 2) {
#pragma GCC unroll 16
    for (int64_t i = 0; i < lanes; ++i) {
      const FloatVec low = rows[i / 2], high = rows[i / 2 + lanes / 2];
      next[i] = i % 2 == 0 ? alternate<0>(low, high, all) : alternate<1>(low, high, all);
    }
#pragma GCC unroll 16
    for (int64_t i = 0; i < lanes; ++i) rows[i] = next[i];
  }
#pragma GCC unroll 16
  for (int64_t i = 0; i < lanes; ++i) store<float>(to + i * ld_to, rows[i]);
}

// Along the rows of b in memory, of as many of them at a time as a processor fetches ahead.
inline void lay_out_transposed(int64_t k, int64_t span, const float* b, int64_t ldb, float* panel) {
  const int64_t whole = k / lanes * lanes;
  for (int64_t j = 0; j < columns; j += lanes) {
    if (span <= j) {
      for (int64_t i = 0; i < k; ++i) store<float>(panel + i * columns + j, FloatVec{});
      continue;
    }
    const int64_t count = span - j < lanes ? span - j : lanes;
    for (int64_t i = 0; i < whole; i += lanes) transpose(b + j * ldb + i, ldb, count, panel + i * columns + j, columns);
    for (int64_t i = whole; i < k; ++i)
      for (int64_t c = 0; c < lanes; ++c) panel[i * columns + j + c] = c < count ? b[(j + c) * ldb + i] : 0;
  }
}

// One row of b, in the first row of each panel.
inline void lay_out_row(int64_t k, int64_t span, const float* b, float* panels) {
  for (int64_t first = 0; first < span; first += columns, panels += columns * k)
    for (int64_t v = 0; v < most_vectors; ++v) {
      const int64_t j = first + v * lanes, count = span - j < lanes ? span - j : lanes;
      store<float>(panels + v * lanes, count > 0 ? load_some<float>(b + j, count, 0.0f) : FloatVec{});
    }
}

inline void lay_out(int64_t k, int64_t span, const float* b, int64_t ldb, bool transposed, float* panels) {
  if (!transposed)
    for (int64_t i = 0; i < k; ++i) lay_out_row(k, span, b + i * ldb, panels + i * columns);
  else
    for (int64_t j = 0; j < span; j += columns) lay_out_transposed(k, span - j, b + j * ldb, ldb, panels + j * k);
}

}  // namespace seqgrad::SEQGRAD_ISA

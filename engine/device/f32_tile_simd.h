// The tile in vectors; the body of f32_kernels_avx2.cpp and f32_kernels_avx512.cpp. f32_kernels.cpp says it plainly.
#pragma once
#include <immintrin.h>

#include "engine/core/vec.h"
#include "engine/device/f32_kernels.h"

namespace seqgrad::SEQGRAD_ISA {

constexpr int64_t lanes = Vec<float>::lanes;
constexpr int64_t columns = 3 * lanes;
constexpr int64_t most_rows = SEQGRAD_VECTOR_BYTES / 8;  // with the vectors of B and an element of A they fill them

// x·y + sum, rounded once: a compiler fuses the plain expression only where it optimises.
#if SEQGRAD_VECTOR_BYTES == 64
inline FloatVec fused(float x, FloatVec y, FloatVec sum) { return _mm512_fmadd_ps(_mm512_set1_ps(x), y, sum); }
#else
inline FloatVec fused(float x, FloatVec y, FloatVec sum) { return _mm256_fmadd_ps(_mm256_set1_ps(x), y, sum); }
#endif

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
  for (int64_t i = 0; i < k; ++i, b += columns) {
    FloatVec right[vectors];
    for (int64_t v = 0; v < vectors; ++v) right[v] = load<float>(b + lanes * v);
#pragma GCC unroll 8
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t v = 0; v < vectors; ++v)
        sum[r][v] = fused(transposed ? a[i * lda + r] : a[r * lda + i], right[v], sum[r][v]);
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

template <int64_t rows, bool transposed>
void rows_of(int64_t k, const float* a, int64_t lda, const float* b, const Place& to) {
  if (to.span > 2 * lanes)
    block_of<rows, 3, transposed>(k, a, lda, b, to);
  else if (to.span > lanes)
    block_of<rows, 2, transposed>(k, a, lda, b, to);
  else
    block_of<rows, 1, transposed>(k, a, lda, b, to);
}

template <int64_t rows, bool transposed>
void few_rows_of(int64_t height, int64_t k, const float* a, int64_t lda, const float* b, const Place& to) {
  if constexpr (rows > 1)
    if (height < rows) return few_rows_of<rows - 1, transposed>(height, k, a, lda, b, to);
  rows_of<rows, transposed>(k, a, lda, b, to);
}

template <bool transposed>
void tile_of(int64_t k, const float* a, int64_t lda, const float* b, const float* start, int64_t start_ld, float* c,
             int64_t ldc, int64_t height, int64_t span) {
  for (int64_t i = 0; i < height; i += most_rows)
    few_rows_of<most_rows, transposed>(height - i, k, a + (transposed ? i : i * lda), lda, b,
                                       {start ? start + i * start_ld : nullptr, start_ld, c + i * ldc, ldc, span});
}

inline void tile(int64_t k, const float* a, int64_t lda, bool transposed, const float* b, const float* start,
                 int64_t start_ld, float* c, int64_t ldc, int64_t height, int64_t span) {
  (transposed ? tile_of<true> : tile_of<false>)(k, a, lda, b, start, start_ld, c, ldc, height, span);
}

}  // namespace seqgrad::SEQGRAD_ISA

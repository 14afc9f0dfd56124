// Packing and tiles with AVX-512's dot products of bfloat16 pairs (vdpbf16ps).
#include <immintrin.h>

#include "engine/device/bf16_kernels.h"

namespace seqgrad {
namespace {

constexpr int64_t rows = Bf16Kernels::rows, columns = Bf16Kernels::columns, lanes = 16;

__mmask16 first(int64_t n) { return n >= lanes ? 0xffff : n <= 0 ? 0 : static_cast<__mmask16>((1 << n) - 1); }

// bfloat16 of 16 numbers, in the low halves of 16 words.
__m512i rounded(__m512 x) { return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x)); }

// Stores the words of pair p of 16 lines from `line` on. Panels are 8 or 48 wide: 8 neighbours share one.
void put(uint32_t* out, int64_t stride, int64_t width, int64_t lines, int64_t line, int64_t p, __m512i words) {
  const auto at = [&](int64_t l) { return (__m256i*)(out + (l / width * stride + p) * width + l % width); };
  const int64_t padded = (lines + width - 1) / width * width;
  _mm256_storeu_si256(at(line), _mm512_castsi512_si256(words));
  if (line + 8 < padded) _mm256_storeu_si256(at(line + 8), _mm512_extracti64x4_epi64(words, 1));
}

// Where lines are neighbours, two terms of 16 lines make 16 words.
void pack_across(const float* x, int64_t k_stride, int64_t lines, int64_t k, int64_t width, int64_t stride,
                 uint32_t* out) {
  constexpr int64_t few = 16;  // pairs of all lines before the next ones: their rows stay in reach
  const int64_t pairs = (k + 1) / 2, padded = (lines + width - 1) / width * width;
  for (int64_t p0 = 0; p0 < pairs; p0 += few)
    for (int64_t line = 0; line < padded; line += lanes)
      for (int64_t p = p0; p < pairs && p < p0 + few; ++p) {
        const float* even = x + 2 * p * k_stride + line;
        const __mmask16 here = first(lines - line);
        const __m512 low = _mm512_maskz_loadu_ps(here, even);
        const __m512 high = _mm512_maskz_loadu_ps(2 * p + 1 < k ? here : 0, even + k_stride);
        put(out, stride, width, lines, line, p, _mm512_or_si512(rounded(low), _mm512_slli_epi32(rounded(high), 16)));
      }
}

// 16 x 16 words, in four rounds that swap blocks of 1, 2, 4 and 8 across the diagonal.
void transpose(__m512i* x) {
#pragma GCC unroll 4
  for (int s = 1; s < lanes; s *= 2) {
    alignas(64) int32_t upper[lanes], lower[lanes];
    for (int l = 0; l < lanes; ++l) {
      upper[l] = l & s ? lanes + l - s : l;
      lower[l] = l & s ? lanes + l : l + s;
    }
    const __m512i up = _mm512_load_si512(upper), low = _mm512_load_si512(lower);
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) {
      if (i & s) continue;
      const __m512i a = x[i], b = x[i + s];
      x[i] = _mm512_permutex2var_epi32(a, up, b);
      x[i + s] = _mm512_permutex2var_epi32(a, low, b);
    }
  }
}

// Where terms are neighbours, 32 terms of a line make 16 words, and 16 lines of them are transposed.
void pack_along(const float* x, int64_t line_stride, int64_t lines, int64_t k, int64_t width, int64_t stride,
                uint32_t* out) {
  const int64_t pairs = (k + 1) / 2, padded = (lines + width - 1) / width * width;
  for (int64_t line = 0; line < padded; line += lanes)
    for (int64_t p = 0; p < pairs; p += lanes) {
      __m512i words[lanes];
#pragma GCC unroll 16
      for (int64_t j = 0; j < lanes; ++j) {
        const int64_t have = line + j < lines ? k - 2 * p : 0;
        const float* from = x + (line + j) * line_stride + 2 * p;
        const __m512 low = _mm512_maskz_loadu_ps(first(have), from),
                     high = _mm512_maskz_loadu_ps(first(have - lanes), from + lanes);
        words[j] = (__m512i)_mm512_cvtne2ps_pbh(high, low);
      }
      transpose(words);
      for (int64_t i = 0; i < lanes && p + i < pairs; ++i) put(out, stride, width, lines, line, p + i, words[i]);
    }
}

void pack(const float* x, int64_t line_stride, int64_t k_stride, int64_t lines, int64_t k, int64_t width,
          int64_t stride, uint32_t* out) {
  if (k_stride == 1)
    pack_along(x, line_stride, lines, k, width, stride, out);
  else
    pack_across(x, k_stride, lines, k, width, stride, out);
}

template <int vectors>
void tile_of(int64_t pairs, const uint32_t* a, const uint32_t* b, bool add, float* c, int64_t ldc, int64_t height,
             int64_t span) {
  __m512 sum[rows][vectors];
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) sum[r][v] = _mm512_setzero_ps();
  for (int64_t p = 0; p < pairs; ++p, a += rows, b += columns) {
    __m512bh right[vectors];
    for (int64_t v = 0; v < vectors; ++v) right[v] = (__m512bh)_mm512_loadu_si512(b + lanes * v);
#pragma GCC unroll 8
    for (int64_t r = 0; r < rows; ++r) {
      const __m512bh left = (__m512bh)_mm512_set1_epi32(static_cast<int>(a[r]));
      for (int64_t v = 0; v < vectors; ++v) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], left, right[v]);
    }
  }
  for (int64_t r = 0; r < height; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      const __mmask16 here = first(span - lanes * v);
      float* at = c + r * ldc + lanes * v;
      __m512 s = sum[r][v];
      if (add) s = _mm512_add_ps(s, _mm512_maskz_loadu_ps(here, at));
      _mm512_mask_storeu_ps(at, here, s);
    }
}

void tile(int64_t pairs, const uint32_t* a, const uint32_t* b, bool add, float* c, int64_t ldc, int64_t height,
          int64_t span) {
  if (span > 2 * lanes)
    tile_of<3>(pairs, a, b, add, c, ldc, height, span);
  else if (span > lanes)
    tile_of<2>(pairs, a, b, add, c, ldc, height, span);
  else
    tile_of<1>(pairs, a, b, add, c, ldc, height, span);
}

}  // namespace

extern constinit const Bf16Kernels bf16_kernels_avx512bf16;
constinit const Bf16Kernels bf16_kernels_avx512bf16{"avx512bf16", pack, tile};

}  // namespace seqgrad

// The loops as plain C++, which say what the vector kernels compute, and the choice among them.
#include "engine/device/f32_kernels.h"

#include <cmath>

#include "engine/core/isa.h"

namespace seqgrad {

extern const F32Kernels f32_kernels_avx2, f32_kernels_avx512;

namespace {

constexpr int64_t rows = 8, columns = 48;

void tile(int64_t k, const float* a, int64_t lda, bool transposed, const float* b, const float* start, int64_t start_ld,
          float* c, int64_t ldc, int64_t height, int64_t span) {
  for (int64_t r = 0; r < height; ++r)
    for (int64_t j = 0; j < span; ++j) {
      float sum = 0;
      const float* const panel = b + j / columns * columns * k;
      for (int64_t i = 0; i < k; ++i)
        sum = std::fma(a[transposed ? i * lda + r : r * lda + i], panel[i * columns + j % columns], sum);
      c[r * ldc + j] = start ? start[r * start_ld + j] + sum : sum;
    }
}

void lay_out(int64_t k, int64_t span, const float* b, int64_t ldb, bool transposed, float* panels) {
  for (int64_t first = 0; first < span; first += columns)
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = first; j < first + columns; ++j)
        *panels++ = j < span ? b[transposed ? j * ldb + i : i * ldb + j] : 0;
}

constexpr F32Kernels plain{"plain", rows, columns, tile, lay_out};

}  // namespace

std::span<const F32Kernels* const> all_f32_kernels() {
  static const struct Found {
    const F32Kernels* list[3] = {&plain, nullptr, nullptr};
    size_t count = 1;
    Found() {
#if defined(__x86_64__)
      if (isa() >= Isa::avx2) list[count++] = &f32_kernels_avx2;
      if (isa() >= Isa::avx512) list[count++] = &f32_kernels_avx512;
#endif
    }
  } found;
  return {found.list, found.count};
}

const F32Kernels* f32_kernels() {
  static const F32Kernels* const best = all_f32_kernels().size() > 1 ? all_f32_kernels().back() : nullptr;
  return best;
}

}  // namespace seqgrad

// The loops as plain C++, which say what the vector kernels compute, and the choice among them.
#include "engine/device/bf16_kernels.h"

#include <bit>
#include <cmath>

#include "engine/core/error.h"
#include "engine/core/isa.h"

namespace seqgrad {

extern const Bf16Kernels bf16_kernels_avx512bf16;

namespace {

constexpr int64_t rows = Bf16Kernels::rows, columns = Bf16Kernels::columns;

// The upper half of the float that is nearest among those whose lower half is zero; a tie goes to the even one, and
// what is smaller than the smallest normal number to zero.
uint32_t rounded(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7f800000) == 0) return (bits >> 16) & 0x8000;
  if (std::isnan(x)) return (bits >> 16) | 0x40;  // stays a NaN
  return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

float even_term(uint32_t pair) { return std::bit_cast<float>(pair << 16); }
float odd_term(uint32_t pair) { return std::bit_cast<float>(pair & 0xffff0000u); }

void pack(const float* x, int64_t line_stride, int64_t k_stride, int64_t lines, int64_t k, int64_t width,
          int64_t stride, uint32_t* out) {
  const int64_t pairs = (k + 1) / 2;
  for (int64_t panel = 0; panel < lines; panel += width)
    for (int64_t p = 0; p < pairs; ++p)
      for (int64_t i = 0; i < width; ++i) {
        const float* at = x + (panel + i) * line_stride + 2 * p * k_stride;
        const bool inside = panel + i < lines;
        out[(panel / width * stride + p) * width + i] =
            (inside ? rounded(*at) : 0) | (inside && 2 * p + 1 < k ? rounded(at[k_stride]) << 16 : 0);
      }
}

void tile(int64_t pairs, const uint32_t* a, const uint32_t* b, bool add, float* c, int64_t ldc, int64_t height,
          int64_t span) {
  for (int64_t r = 0; r < height; ++r)
    for (int64_t j = 0; j < span; ++j) {
      float sum = 0;
      for (int64_t p = 0; p < pairs; ++p) {
        const uint32_t x = a[p * rows + r], y = b[p * columns + j];
        sum += even_term(x) * even_term(y);
        sum += odd_term(x) * odd_term(y);
      }
      float& at = c[r * ldc + j];
      at = add ? at + sum : sum;
    }
}

constexpr Bf16Kernels plain{"plain", pack, tile};

}  // namespace

std::span<const Bf16Kernels* const> all_bf16_kernels() {
  static const struct Found {
    const Bf16Kernels* list[2] = {&plain, nullptr};
    size_t count = 1;
    Found() {
#if defined(__x86_64__)
      if (isa() >= Isa::avx512_bf16) list[count++] = &bf16_kernels_avx512bf16;
#endif
    }
  } found;
  return {found.list, found.count};
}

const Bf16Kernels* bf16_kernels() {
  const auto all = all_bf16_kernels();
  return all.size() > 1 ? all.back() : nullptr;
}

const Bf16Kernels& needed_bf16_kernels() {
  const Bf16Kernels* found = bf16_kernels();
  if (!found)
    system_failure(
        "precision bf16: this CPU has no bfloat16 arithmetic (avx512_bf16), so it would be slower than fp32; use "
        "precision: fp32");
  return *found;
}

}  // namespace seqgrad

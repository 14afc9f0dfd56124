// The inner loops of products in bfloat16 with float32 sums: packing, which rounds, and one tile of C. A table of them
// for each instruction set that has them; the plain one says what they compute.
#pragma once
#include <cstdint>
#include <span>

namespace seqgrad {

struct Bf16Kernels {
  static constexpr int64_t rows = 8, columns = 48;  // of a tile of C

  const char* isa;

  // Rounds `lines` vectors of k numbers, x[line·line_stride + i·k_stride], to the nearest bfloat16 (ties to even) and
  // lays them out in panels of `width` lines: panel, then pairs (2i, 2i+1) of terms, then lines; a pair is one word,
  // its even term low. What a panel or the last pair has too much is zero. One of the two strides is 1.
  // Panels begin `stride` pairs after each other: a part of the terms can be packed into panels of all.
  void (*pack)(const float* x, int64_t line_stride, int64_t k_stride, int64_t lines, int64_t k, int64_t width,
               int64_t stride, uint32_t* out);

  // C [height,span] = (add ? C : 0) + the sum over `pairs` of panels a (of 8 rows) and b (of 48 columns).
  void (*tile)(int64_t pairs, const uint32_t* a, const uint32_t* b, bool add, float* c, int64_t ldc, int64_t height,
               int64_t span);
};

// The fastest that this CPU runs; null: it has no bfloat16 arithmetic, and products in it would be slower than in
// float32.
const Bf16Kernels* bf16_kernels();

// The same, or a SystemError that says so.
const Bf16Kernels& needed_bf16_kernels();

// All that this CPU runs, the plain loops first.
std::span<const Bf16Kernels* const> all_bf16_kernels();

}  // namespace seqgrad

// The inner loops of products in float32 by a right factor that is laid out in panels first: one tile of C, one panel.
// A table for each instruction set that has fused multiply-add; all compute the same bits, which the plain one says.
#pragma once
#include <cstdint>
#include <span>

namespace seqgrad {

struct F32Kernels {
  const char* isa;
  int64_t rows;     // of C, that a call computes at the most
  int64_t columns;  // of a panel of B: as many as the kernel has sums of so many rows in registers for

  // C [height,span] = `start` + the sum over k, in order and fused, of a [height,k], whose rows, or columns if it is
  // transposed, lie lda apart, and as many panels b [k,columns] as cover the span, one after the other. `start` is
  // null, C itself or a row: its rows lie start_ld apart.
  void (*tile)(int64_t k, const float* a, int64_t lda, bool transposed, const float* b, const float* start,
               int64_t start_ld, float* c, int64_t ldc, int64_t height, int64_t span);

  // b [k,span], whose rows, or columns if it is transposed, lie ldb apart, in as many panels as cover the span, one
  // after the other; zeros beside it.
  void (*lay_out)(int64_t k, int64_t span, const float* b, int64_t ldb, bool transposed, float* panels);
};

// The fastest that this CPU runs; null: it has no fused multiply-add.
const F32Kernels* f32_kernels();

// All that this CPU runs, the plain loops first.
std::span<const F32Kernels* const> all_f32_kernels();

}  // namespace seqgrad

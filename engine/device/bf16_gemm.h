// Products of float32 matrices whose factors are rounded to bfloat16 and whose sums are float32, on CPUs that have
// instructions for it. Every element of C is summed in one order, whatever the shape and the thread count.
#pragma once
#include "engine/device/packed_matrix.h"

namespace seqgrad {

// C = A·B, or with `accumulate` C += A·B, on all threads; packs A, and B unless it is packed, into scratch of the
// calling thread.
void bf16_gemm(Matrix<const float> a, const PackedMatrix<float>& b, Matrix<float> c, bool accumulate);

// The same on this thread alone; b is packed.
void bf16_gemm_here(Matrix<const float> a, const PackedMatrix<float>& b, Matrix<float> c, bool accumulate);

// How many words a right factor [K,N] takes packed, and packing it there, on all threads.
int64_t bf16_packed_words(int64_t k, int64_t n);
void bf16_pack(Matrix<const float> b, uint32_t* packed);

}  // namespace seqgrad

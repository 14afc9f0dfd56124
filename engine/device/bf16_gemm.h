// Products of float32 matrices whose factors are rounded to bfloat16 and whose sums are float32, on CPUs that have
// instructions for it. Every element of C is summed in one order, whatever the shape and the thread count.
#pragma once
#include <cstdint>

#include "engine/device/gemm.h"

namespace seqgrad {

// On all threads; packs both factors into memory that the calling thread keeps.
void bf16_gemm(const Gemm<float>& g);

// For one right factor op(B) [k,n] of many products: how many words it takes packed, and packing it there (on all
// threads). Multiplying runs on this thread alone: C [m,n] = A [m,k]·op(B) + (add ? C : 0).
int64_t bf16_packed_words(int64_t k, int64_t n);
void bf16_pack(bool transpose, int64_t k, int64_t n, const float* b, int64_t ldb, uint32_t* packed);
void bf16_multiply(int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const uint32_t* packed, bool add,
                   float* c, int64_t ldc);

}  // namespace seqgrad

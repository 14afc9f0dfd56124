// Matrix products: C = op(A)·op(B) + beta·C, row-major with leading dimensions.
#pragma once
#include <cstdint>

#include "engine/core/kernel.h"

namespace seqgrad {

template <class T>
struct Gemm {
  bool transpose_a, transpose_b;
  int64_t m, n, k;  // C is [m,n], op(A) is [m,k], op(B) is [k,n]; zeros are legal
  const T* a;
  int64_t lda;
  const T* b;
  int64_t ldb;
  T beta;  // 0: C is not read; 1: the product is added
  T* c;
  int64_t ldc;
  // A name for the numbers in B, from new_operand_name(); 0: none. A device may keep the form that it brings B into for
  // later products with that name.
  uint64_t b_name = 0;
};

// `count` such products: the operands of each lie a stride, in elements, behind those of the one before. Those of A and
// B may overlap, those of C may not; `first` names no B.
template <class T>
struct BatchedGemm {
  Gemm<T> first;
  int64_t count, stride_a, stride_b, stride_c;

  Gemm<T> at(int64_t i) const {
    Gemm<T> g = first;
    g.a += i * stride_a;
    g.b += i * stride_b;
    g.c += i * stride_c;
    return g;
  }
};

uint64_t new_operand_name();  // never given before

// What products of float32 matrices round their factors to; sums stay float32. tf32, 10 bits after the point, is a
// GPU's and changes nothing on a CPU; bf16 is refused for a CPU that has no instructions for it. One setting for all
// threads of the process, not to be changed while blocks run; `device` is where products will be made (a product that a
// CPU without the instructions is given all the same is refused then).
enum class MatmulPrecision { fp32, tf32, bf16 };
void set_matmul_precision(MatmulPrecision precision, Device device = Device::cpu);
MatmulPrecision matmul_precision();

namespace kernels {
template <class T>
inline constinit Kernel<Gemm<T>> gemm{"gemm"};
template <class T>
inline constinit Kernel<BatchedGemm<T>> batched_gemm{"batched_gemm"};
}  // namespace kernels

}  // namespace seqgrad

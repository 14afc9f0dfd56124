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
};

namespace kernels {
template <class T>
inline constinit Kernel<Gemm<T>> gemm{"gemm"};
}

}  // namespace seqgrad

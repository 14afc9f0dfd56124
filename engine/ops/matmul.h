// Matrix products and the linear layer: y = x·W + b.
#pragma once
#include "engine/core/kernel.h"
#include "engine/core/tape.h"

namespace seqgrad {

// op(a)·op(b) for matrices; `transpose_a` takes a as [K,M], `transpose_b` takes b as [N,K].
Tensor matmul(const Tensor& a /*[M,K]*/, const Tensor& b /*[K,N]*/, bool transpose_a = false,
              bool transpose_b = false);  // [M,N]

// The last dimension of x times w, plus the bias if there is one: [..., in] -> [..., out].
Tensor linear(const Tensor& x /*[...,in]*/, const Tensor& w /*[in,out]*/, const Tensor& bias /*[out]*/ = {});

// a[i]·b[i] for every i.
Tensor batched_matmul(const Tensor& a /*[B,M,K]*/, const Tensor& b /*[B,K,N]*/);  // [B,M,N]

namespace kernels {
template <class T>
struct AddRows {
  const T* row /*[n]*/;
  T* x /*[rows,n]*/;
  int64_t rows, n;
};  // x = row, each
template <class T>
struct SumRows {
  const T* x /*[rows,n], rows `stride` apart*/;
  T* sum /*[n]*/;
  int64_t rows, n, stride;
};  // sum += Σ x, in row order
template <class T>
inline constinit Kernel<AddRows<T>> fill_rows{"fill_rows"};
template <class T>
inline constinit Kernel<SumRows<T>> sum_rows{"sum_rows"};
}  // namespace kernels

}  // namespace seqgrad

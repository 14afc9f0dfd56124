// Matrix products and the linear layer: y = x·W + b.
#pragma once
#include "engine/ops/weight_gradient.h"

namespace seqgrad {

// op(a)·op(b) for matrices; `transpose_a` takes a as [K,M], `transpose_b` takes b as [N,K].
Tensor matmul(const Tensor& a /*[M,K]*/, const Tensor& b /*[K,N]*/, bool transpose_a = false,
              bool transpose_b = false);  // [M,N]

// The last dimension of x times w, plus the bias if there is one: [..., in] -> [..., out].
Tensor linear(const Tensor& x /*[...,in]*/, const Tensor& w /*[in,out]*/, const Tensor& bias /*[out]*/ = {},
              Span span = Span::sequence);

// a[i]·b[i] for every i.
Tensor batched_matmul(const Tensor& a /*[B,M,K]*/, const Tensor& b /*[B,K,N]*/);  // [B,M,N]

namespace kernels {
template <class T>
struct SumRows {
  Matrix<const T> x /*[rows,N], not transposed*/;
  T* sum /*[N]*/;
};  // sum += Σ x, in row order
template <class T>
inline constinit Kernel<SumRows<T>> sum_rows{"sum_rows"};
}  // namespace kernels

}  // namespace seqgrad

// Sums and means, in one fixed order.
#pragma once
#include "engine/core/kernel.h"
#include "engine/core/tape.h"

namespace seqgrad {

Tensor sum(const Tensor& x);   // of all elements: a scalar; accumulated in float64
Tensor mean(const Tensor& x);  // of all elements; an empty tensor is an error

namespace kernels {
template <class T>
struct Sum {
  const T* x;
  T* y;
  int64_t n;
  double scale;
};  // y = scale·Σx
template <class T>
struct SumGrad {
  const T* dy;
  T* dx;
  int64_t n;
  double scale;
};  // dx = scale·dy
template <class T>
inline constinit Kernel<Sum<T>> sum{"sum"};
template <class T>
inline constinit Kernel<SumGrad<T>> sum_grad{"sum_grad"};
}  // namespace kernels

}  // namespace seqgrad

// Softmax over the last dimension.
#pragma once
#include "engine/core/kernel.h"
#include "engine/core/tape.h"

namespace seqgrad {

// exp(x - max) / Σ over each row. Where `lengths` [rows] i32 is given, only the first lengths[r] entries of row r take
// part: the others are not read and come out 0, with gradient 0; a length of 0 gives a row of zeros.
Tensor softmax(const Tensor& x /*[...,N]*/, const Tensor& lengths = {});
Tensor log_softmax(const Tensor& x /*[...,N]*/);

namespace kernels {
template <class T>
struct Softmax {
  const T* x;
  T* y;
  const int32_t* lengths;
  int64_t rows, n;
  bool log;
};
template <class T>
struct SoftmaxGrad {
  const T *y, *dy;
  T* dx;  // written
  const int32_t* lengths;
  int64_t rows, n;
  bool log;
};
template <class T>
inline constinit Kernel<Softmax<T>> softmax{"softmax"};
template <class T>
inline constinit Kernel<SoftmaxGrad<T>> softmax_grad{"softmax_grad"};
}  // namespace kernels

}  // namespace seqgrad

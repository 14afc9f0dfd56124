// Other shapes and parts of tensors: reshape, concatenation, slices and time steps.
#pragma once
#include <vector>

#include "engine/core/kernel.h"
#include "engine/core/tape.h"

namespace seqgrad {

Tensor reshape(const Tensor& x, Shape shape);                             // the same memory and gradient
Tensor concat(const Tensor& a /*[...,A]*/, const Tensor& b /*[...,B]*/);  // [...,A+B]
Tensor slice(const Tensor& x /*[...,N]*/, int64_t begin, int64_t end);    // [...,end-begin]
Tensor time_step(const Tensor& x /*[B,T,E]*/, int64_t t);                 // [B,E]
Tensor stack_steps(const std::vector<Tensor>& steps /*T of [B,E]*/);      // [B,T,E]

namespace kernels {
// y[r·y_stride + c] = x[r·x_stride + c], or += if `accumulate`, for r < rows, c < width; the one kernel behind all
// copies of this file.
template <class T>
struct MoveStrided {
  const T* x;
  T* y;
  int64_t rows, width, x_stride, y_stride;
  bool accumulate;
};
template <class T>
inline constinit Kernel<MoveStrided<T>> move_strided{"move_strided"};
}  // namespace kernels

}  // namespace seqgrad

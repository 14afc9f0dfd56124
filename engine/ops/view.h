// Other shapes and parts of tensors: reshape, concatenation, slices and picked time steps.
#pragma once
#include <vector>

#include "engine/core/kernel.h"
#include "engine/core/tape.h"

namespace seqgrad {

Tensor reshape(const Tensor& x, Shape shape);                                    // the same memory and gradient
Tensor concat(const Tensor& a /*[...,A]*/, const Tensor& b /*[...,B]*/);         // [...,A+B]
Tensor slice(const Tensor& x /*[...,N]*/, int64_t begin, int64_t end);           // [...,end-begin]
Tensor time_step(const Tensor& x /*[B,T,E]*/, int64_t t);                        // [B,E]
Tensor stack_steps(const std::vector<Tensor>& steps /*T of [B,E]*/);             // [B,T,E]
Tensor select_steps(const Tensor& x /*[B,T,E]*/, const Tensor& at /*[B] i32*/);  // x[b, at[b]]: [B,E]

namespace kernels {
// y[r·y_stride + c] += x[r·x_stride + c] for r < rows, c < width; the one kernel behind all copies of this file.
template <class T>
struct AddStrided {
  const T* x;
  T* y;
  int64_t rows, width, x_stride, y_stride;
};
// Row b of the [B,E] side belongs to row b·steps + at[b] of the [B·steps,E] side.
template <class T>
struct SelectSteps {
  const T* x;
  T* y;
  const int32_t* at;
  int64_t batch, steps, width;
  bool scatter;
};
template <class T>
inline constinit Kernel<AddStrided<T>> add_strided{"add_strided"};
template <class T>
inline constinit Kernel<SelectSteps<T>> select_steps{"select_steps"};
}  // namespace kernels

}  // namespace seqgrad

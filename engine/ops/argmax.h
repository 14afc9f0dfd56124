// The likeliest class of each row, for a model that reads its own words.
#pragma once
#include "engine/core/kernel.h"
#include "engine/core/tape.h"

namespace seqgrad {

// The index of the first maximum of each row among the classes [first,V); NaN is never one, and `first` stands where
// there is none. Where given[n] is 0 or more, that instead. It has no gradient.
Tensor argmax(const Tensor& x /*[N,V]*/, int64_t first = 0, const Tensor& given = {} /*[N] i32*/);  // [N] i32

namespace kernels {
template <class T>
struct Argmax {
  const T* x;
  const int32_t* given;  // may be null
  int32_t* y;
  int64_t rows, classes, first;
};
template <class T>
inline constinit Kernel<Argmax<T>> argmax{"argmax"};
}  // namespace kernels

}  // namespace seqgrad

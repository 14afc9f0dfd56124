// The states that a GRU layer ends with, picked from its outputs.
#pragma once
#include "engine/core/kernel.h"
#include "engine/core/tape.h"

namespace seqgrad {

// `y` is of a layer of one or two directions (D), side by side. Forwards the last state is that of step lengths[b]-1,
// backwards, which the second direction is, that of step 0; that of an empty sentence is 0.
Tensor last_states(const Tensor& y /*[B,T,D·H]*/, const Tensor& lengths /*[B] i32, 0..T*/,
                   int64_t directions);  // [B,D·H]

namespace kernels {
template <class T>
struct LastStates {
  const T* x;  // [B,T,W]
  T* y;        // [B,W]
  const int32_t* lengths;
  int64_t batch, steps, width, forwards;  // columns, and those of them that are read forwards
};
template <class T>
struct LastStatesGrad {
  const T* dy;
  T* dx;  // added to
  const int32_t* lengths;
  int64_t batch, steps, width, forwards;
};
template <class T>
inline constinit Kernel<LastStates<T>> last_states{"last_states"};
template <class T>
inline constinit Kernel<LastStatesGrad<T>> last_states_grad{"last_states_grad"};
}  // namespace kernels

}  // namespace seqgrad

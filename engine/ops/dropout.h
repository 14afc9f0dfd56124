// Inverted dropout whose mask is a function of seed, layer, step and sentence: never stored, never dependent on
// batching.
#pragma once
#include "engine/core/kernel.h"
#include "engine/core/tape.h"

namespace seqgrad {

// Which mask. Sentence i of the batch is sentence first_row+i of the optimiser batch, so that micro-batches draw what
// the one big batch draws.
struct DropoutKey {
  uint64_t seed = 0;
  uint32_t layer = 0;  // one number per place in the model
  uint64_t step = 0;
  uint32_t first_row = 0;
  uint32_t first_step = 0;  // time step t of x is step first_step+t of its sentence
};

// x with each unit zeroed with probability `rate` and the others divided by 1-rate. x is [B,E] or [B,T,E];
// `variational` shares one mask over T (Gal and Ghahramani 2016).
Tensor dropout(const Tensor& x, double rate, DropoutKey key, bool variational = false);

namespace kernels {
template <class T>
struct Dropout {
  const T* x;
  T* y;
  int64_t batch, steps, width;
  double rate;
  DropoutKey key;
  bool variational;
};  // y += mask·x
template <class T>
inline constinit Kernel<Dropout<T>> dropout{"dropout"};
}  // namespace kernels

}  // namespace seqgrad

// The gradient of the weight of a product, for layers that multiply whole sequences and for those that go step by step.
#pragma once
#include "engine/core/tape.h"

namespace seqgrad {

// grad(w) += xᵀ·dy, before the running backward ends. `step`: other time steps multiply by w too. On a CPU the rows of
// such steps are collected until a product over them is fast; those where dy is zero, padding, are left out, so that
// they change no bit.
template <class T>
void add_weight_gradient(const Tensor& w /*[M,N]*/, int64_t rows, const T* x /*[rows,M]*/, const T* dy /*[rows,N]*/,
                         bool step);

}  // namespace seqgrad

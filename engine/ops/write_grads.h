// Gradients by kernels that write every element of them.
#pragma once
#include <utility>

#include "engine/ops/elementwise.h"

namespace seqgrad {

// Calls kernel(T*…) with the place for the gradient of each tensor, null where none is wanted. Where others have
// written theirs before, or two of the tensors are one, the place is scratch that is then added.
template <class T, size_t n, class F>
void write_grads(const Tensor (&of)[n], const F& kernel) {
  T* to[n] = {};
  bool accumulate[n] = {};
  for (size_t i = 0; i < n; ++i)
    if (of[i].requires_grad()) {
      const GradTarget g = grad_target(of[i]);
      accumulate[i] = g.accumulate;
      to[i] = g.accumulate ? Tape::current().scratch<T>(of[i].numel(), of[i].device) : g.tensor.as<T>();
    }
  [&]<size_t... i>(std::index_sequence<i...>) { kernel(to[i]...); }
  (std::make_index_sequence<n>());
  for (size_t i = 0; i < n; ++i)
    if (accumulate[i]) kernels::axpy<T>(of[i].device, {T{1}, to[i], grad(of[i]).template as<T>(), of[i].numel(), true});
}

}  // namespace seqgrad

// The result of a loss as a tensor, and the way back from its upstream gradient to the rows.
#pragma once
#include "engine/core/tape.h"
#include "engine/loss/live_rows.h"
#include "engine/loss/row_loss.h"

namespace seqgrad {

inline Shape result_shape(const LiveRows& rows, const LossOptions& o) {
  if (o.over == Over::all || o.then != Then::nothing) return {};
  return o.over == Over::time    ? Shape{rows.batch}
         : o.over == Over::batch ? Shape{rows.steps}
                                 : Shape{rows.batch, rows.steps};
}

// In the dtype and on the device of `like`.
inline Tensor value_tensor(const std::vector<double>& values, Shape shape, const Tensor& like) {
  return with_floating(like.dtype, [&](auto zero) {
    using T = decltype(zero);
    return from_host(std::vector<T>(values.begin(), values.end()), shape, like.device);
  });
}

// The upstream gradient of a scalar loss; a GPU is asked for it only where it may not be 1.
template <class T>
T upstream(const Tensor& dy) {
  return Tape::current().began_with_one(dy) ? T{1} : scalar<T>(dy);
}

// The tasks with the upstream gradient of their entry of a vector loss folded into the coefficient.
template <class T>
const RowTask* with_upstream(const RowTask* tasks, const int64_t* groups, int64_t count, const Tensor& dy) {
  const std::vector<T> upstream = to_host<T>(dy);
  RowTask* out = Tape::current().scratch<RowTask>(count, Device::cpu);
  for (int64_t i = 0; i < count; ++i) {
    out[i] = tasks[i];
    out[i].coefficient *= static_cast<double>(upstream[groups[i]]);
  }
  return out;
}

}  // namespace seqgrad

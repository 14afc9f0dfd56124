// Each sentence is one or two copies of a part of a row.
#include "engine/ops/last_states.h"

#include <algorithm>

#include "engine/core/expect.h"
#include "engine/core/op_registry.h"
#include "engine/ops/id_range.h"

namespace seqgrad {
namespace {

// Calls f(begin, end, row) for the columns [begin,end) of sentence b and the row of [B·T,W] that they come from.
template <class K, class F>
void for_each_part(const K& k, int64_t b, const F& f) {
  if (k.lengths[b] == 0) return;
  f(0, k.forwards, b * k.steps + k.lengths[b] - 1);
  f(k.forwards, k.width, b * k.steps);
}

template <class T>
void last_states_cpu(const kernels::LastStates<T>& k) {
  std::fill_n(k.y, k.batch * k.width, T{0});
  for (int64_t b = 0; b < k.batch; ++b)
    for_each_part(k, b, [&](int64_t begin, int64_t end, int64_t row) {
      std::copy_n(k.x + row * k.width + begin, end - begin, k.y + b * k.width + begin);
    });
}

template <class T>
void last_states_grad_cpu(const kernels::LastStatesGrad<T>& k) {
  for (int64_t b = 0; b < k.batch; ++b)
    for_each_part(k, b, [&](int64_t begin, int64_t end, int64_t row) {
      for (int64_t c = begin; c < end; ++c) k.dx[row * k.width + c] += k.dy[b * k.width + c];
    });
}

template <class T>
bool install_kernels() {
  return install<Device::cpu>(kernels::last_states<T>, last_states_cpu<T>) &&
         install<Device::cpu>(kernels::last_states_grad<T>, last_states_grad_cpu<T>);
}

const bool registered = install_kernels<float>() && install_kernels<double>() &&
                        register_op({"last_states", "the states that a GRU layer ends with"});

}  // namespace

Tensor last_states(const Tensor& y, const Tensor& lengths, int64_t directions) {
  expect("last_states", {{"y", y, "[B,T,H]"}, {"lengths", lengths, "[B] i32"}});
  if (directions < 1 || directions > 2 || y.shape[2] % directions != 0)
    refuse("last_states: y {} of {} directions; expected 1, or 2 of one width", y.shape.str(), directions);
  const int64_t batch = y.shape[0], steps = y.shape[1], width = y.shape[2], forwards = width / directions;
  check_lengths("last_states", "lengths", lengths, steps);
  Tensor out = empty({batch, width}, y.dtype, y.device);
  dispatch(y.dtype, [&]<class T> {
    kernels::last_states<T>(y.device, {y.as<T>(), out.as<T>(), lengths.as<int32_t>(), batch, steps, width, forwards});
  });
  Tape::current().record(out, {.inputs = {y}}, [=](const Tensor& dout) {
    dispatch(y.dtype, [&]<class T> {
      kernels::last_states_grad<T>(
          y.device, {dout.as<T>(), grad(y).as<T>(), lengths.as<int32_t>(), batch, steps, width, forwards});
    });
  });
  return out;
}

}  // namespace seqgrad

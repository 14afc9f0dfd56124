// Sum and mean are one kernel with a factor.
#include "engine/ops/reduce.h"

#include "engine/core/expect.h"
#include "engine/core/op_registry.h"
#include "engine/ops/write_grads.h"

namespace seqgrad {
namespace {

template <class T>
void sum_cpu(const kernels::Sum<T>& k) {
  double total = 0;
  for (int64_t i = 0; i < k.n; ++i) total += static_cast<double>(k.x[i]);
  *k.y = static_cast<T>(k.scale * total);
}

template <class T>
void sum_grad_cpu(const kernels::SumGrad<T>& k) {
  const T g = static_cast<T>(k.scale * static_cast<double>(*k.dy));
  for (int64_t i = 0; i < k.n; ++i) k.dx[i] = g;
}

Tensor scaled_sum(const char* op, const Tensor& x, double scale) {
  expect(op, {{"x", x, "[...]"}});
  Tensor y = empty({}, x.dtype, x.device);
  dispatch(x.dtype, [&]<class T> { kernels::sum<T>(x.device, {x.as<T>(), y.as<T>(), x.numel(), scale}); });
  Tape::current().record(y, {.inputs = {x}}, [=](const Tensor& dy) {
    dispatch(x.dtype, [&]<class T> {
      write_grads<T>({x}, [&](T* dx) { kernels::sum_grad<T>(x.device, {dy.as<T>(), dx, x.numel(), scale}); });
    });
  });
  return y;
}

const bool registered = install<Device::cpu>(kernels::sum<float>, sum_cpu<float>) &&
                        install<Device::cpu>(kernels::sum<double>, sum_cpu<double>) &&
                        install<Device::cpu>(kernels::sum_grad<float>, sum_grad_cpu<float>) &&
                        install<Device::cpu>(kernels::sum_grad<double>, sum_grad_cpu<double>) &&
                        register_op({"sum", "sum of all elements"}) && register_op({"mean", "mean of all elements"});

}  // namespace

Tensor sum(const Tensor& x) { return scaled_sum("sum", x, 1); }

Tensor mean(const Tensor& x) {
  if (x.numel() == 0) refuse("mean: {} has no elements", x.shape.str());
  return scaled_sum("mean", x, 1 / static_cast<double>(x.numel()));
}

}  // namespace seqgrad

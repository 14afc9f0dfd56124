// All of these move numbers and add nothing up, so forward and backward share one kernel.
#include "engine/ops/view.h"

#include <algorithm>

#include "engine/core/expect.h"
#include "engine/core/op_registry.h"
#include "engine/core/thread_pool.h"

namespace seqgrad {
namespace {

template <class T>
void move_strided_cpu(const kernels::MoveStrided<T>& k) {
  parallel_ranges(k.rows, std::max<int64_t>(1, 8192 / std::max<int64_t>(1, k.width)), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      if (k.accumulate)
        for (int64_t c = 0; c < k.width; ++c) k.y[r * k.y_stride + c] += k.x[r * k.x_stride + c];
      else
        std::copy_n(k.x + r * k.x_stride, k.width, k.y + r * k.y_stride);
  });
}

// Columns of a tensor: of each row, `stride` numbers after the one before, those from `offset` on.
struct Columns {
  int64_t offset, stride;
};

void move_columns(const Tensor& x, Columns from, const GradTarget& y, Columns to, int64_t rows, int64_t width) {
  dispatch(x.dtype, [&]<class T> {
    kernels::move_strided<T>(x.device, {x.as<T>() + from.offset, y.tensor.as<T>() + to.offset, rows, width, from.stride,
                                        to.stride, y.accumulate});
  });
}
void copy_columns(const Tensor& x, Columns from, const Tensor& y, Columns to, int64_t rows, int64_t width) {
  move_columns(x, from, {y, false}, to, rows, width);
}
// Of all of x's gradient, and of some of it.
void write_grad(const Tensor& x, Columns to, const Tensor& dy, Columns from, int64_t rows, int64_t width) {
  if (x.requires_grad()) move_columns(dy, from, grad_target(x), to, rows, width);
}
void add_to_grad(const Tensor& x, Columns to, const Tensor& dy, Columns from, int64_t rows, int64_t width) {
  if (x.requires_grad()) move_columns(dy, from, {grad(x), true}, to, rows, width);
}

Shape with_last(const Shape& shape, int64_t last) {
  Shape out;
  for (int i = 0; i + 1 < shape.rank(); ++i) out.push_back(shape[i]);
  out.push_back(last);
  return out;
}

const bool registered = install<Device::cpu>(kernels::move_strided<float>, move_strided_cpu<float>) &&
                        install<Device::cpu>(kernels::move_strided<double>, move_strided_cpu<double>) &&
                        register_op({"reshape", "the same numbers in another shape"}) &&
                        register_op({"concat", "side by side along the last dimension"}) &&
                        register_op({"slice", "a range of the last dimension"}) &&
                        register_op({"time_step", "one step of every sequence"}) &&
                        register_op({"stack_steps", "steps to sequences"});

}  // namespace

Tensor reshape(const Tensor& x, Shape shape) {
  check_alive("reshape", {x});
  if (shape.numel() != x.numel()) refuse("reshape: {} does not have the elements of {}", x.shape.str(), shape.str());
  Tensor y = x;
  y.shape = shape;
  return y;
}

Tensor concat(const Tensor& a, const Tensor& b) {
  expect("concat", {{"a", a, "[...,M]"}, {"b", b, "[...,N]"}});
  if (!(with_last(a.shape, 0) == with_last(b.shape, 0)))
    refuse("concat: {} and {} differ before the last dimension", a.shape.str(), b.shape.str());
  const int64_t wa = a.shape[-1], wb = b.shape[-1], w = wa + wb;
  Tensor y = empty(with_last(a.shape, w), a.dtype, a.device);
  const int64_t rows = w == 0 ? 0 : y.numel() / w;
  copy_columns(a, {0, wa}, y, {0, w}, rows, wa);
  copy_columns(b, {0, wb}, y, {wa, w}, rows, wb);
  Tape::current().record(y, {.inputs = {a, b}}, [=](const Tensor& dy) {
    write_grad(a, {0, wa}, dy, {0, w}, rows, wa);
    write_grad(b, {0, wb}, dy, {wa, w}, rows, wb);
  });
  return y;
}

Tensor slice(const Tensor& x, int64_t begin, int64_t end) {
  check_alive("slice", {x});
  if (x.shape.rank() < 1 || begin < 0 || end < begin || end > x.shape[-1])
    refuse("slice: [{},{}) is outside the last dimension of {}", begin, end, x.shape.str());
  const int64_t n = x.shape[-1], w = end - begin, rows = n == 0 ? 0 : x.numel() / n;
  Tensor y = empty(with_last(x.shape, w), x.dtype, x.device);
  copy_columns(x, {begin, n}, y, {0, w}, rows, w);
  Tape::current().record(y, {.inputs = {x}}, [=](const Tensor& dy) {
    add_to_grad(x, {begin, n}, dy, {0, w}, rows, w);
  });
  return y;
}

Tensor time_step(const Tensor& x, int64_t t) {
  expect("time_step", {{"x", x, "[B,T,E]"}});
  if (t < 0 || t >= x.shape[1]) refuse("time_step: x {} has no step {}", x.shape.str(), t);
  const int64_t batch = x.shape[0], width = x.shape[2], stride = x.shape[1] * width;
  Tensor y = empty({batch, width}, x.dtype, x.device);
  copy_columns(x, {t * width, stride}, y, {0, width}, batch, width);
  Tape::current().record(y, {.inputs = {x}}, [=](const Tensor& dy) {
    add_to_grad(x, {t * width, stride}, dy, {0, width}, batch, width);
  });
  return y;
}

Tensor stack_steps(const std::vector<Tensor>& steps) {
  if (steps.empty()) refuse("stack_steps: no steps");
  const Tensor& first = steps[0];
  for (const Tensor& x : steps) expect("stack_steps", {{"the first step", first, "[B,E]"}, {"a step", x, "[B,E]"}});
  const auto count = static_cast<int64_t>(steps.size());
  const int64_t batch = first.shape[0], width = first.shape[1], stride = count * width;
  Tensor y = empty({batch, count, width}, first.dtype, first.device);
  for (int64_t t = 0; t < count; ++t)
    copy_columns(steps[static_cast<size_t>(t)], {0, width}, y, {t * width, stride}, batch, width);
  const auto differentiable = std::find_if(steps.begin(), steps.end(), [](auto& x) { return x.requires_grad(); });
  if (differentiable == steps.end()) return y;
  Tensor* inputs = static_cast<Tensor*>(Tape::current().scratch(steps.size() * sizeof(Tensor), Device::cpu));
  std::copy(steps.begin(), steps.end(), inputs);
  Tape::current().record(y, {.inputs = {*differentiable}}, [=](const Tensor& dy) {
    for (int64_t t = 0; t < count; ++t) write_grad(inputs[t], {0, width}, dy, {t * width, stride}, batch, width);
  });
  return y;
}

}  // namespace seqgrad

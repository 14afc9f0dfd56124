// All of these move numbers and add nothing up, so forward and backward share one kernel.
#include "engine/ops/view.h"

#include <algorithm>

#include "engine/core/op_registry.h"
#include "engine/core/thread_pool.h"

namespace seqgrad {
namespace {

template <class T>
void move_strided_cpu(const kernels::MoveStrided<T>& k) {
  parallel_ranges(k.rows, std::max<int64_t>(1, 8192 / std::max<int64_t>(1, k.width)), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      if (k.add)
        for (int64_t c = 0; c < k.width; ++c) k.y[r * k.y_stride + c] += k.x[r * k.x_stride + c];
      else
        std::copy_n(k.x + r * k.x_stride, k.width, k.y + r * k.y_stride);
  });
}

// One side of a strided copy or addition: `rows` rows of `width` numbers, `stride` apart, from `offset` on.
struct Part {
  int64_t offset, stride;
};

void move_part(const Tensor& x, Part from, const Tensor& y, Part to, int64_t rows, int64_t width, bool add) {
  dispatch(x.dtype, [&]<class T> {
    kernels::move_strided<T>(
        x.device, {x.as<T>() + from.offset, y.as<T>() + to.offset, rows, width, from.stride, to.stride, add});
  });
}
void copy_part(const Tensor& x, Part from, const Tensor& y, Part to, int64_t rows, int64_t width) {
  move_part(x, from, y, to, rows, width, false);
}
void add_part(const Tensor& x, Part from, const Tensor& y, Part to, int64_t rows, int64_t width) {
  move_part(x, from, y, to, rows, width, true);
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
  check_alive("concat", {a, b});
  if (a.shape.rank() < 1 || a.dtype != b.dtype || !(with_last(a.shape, 0) == with_last(b.shape, 0)))
    refuse("concat: {} and {} differ before the last dimension", a.shape.str(), b.shape.str());
  const int64_t wa = a.shape[-1], wb = b.shape[-1], w = wa + wb;
  Tensor y = empty(with_last(a.shape, w), a.dtype, a.device);
  const int64_t rows = w == 0 ? 0 : y.numel() / w;
  copy_part(a, {0, wa}, y, {0, w}, rows, wa);
  copy_part(b, {0, wb}, y, {wa, w}, rows, wb);
  Tape::current().record(y, {a, b}, [=](const Tensor& dy) {
    if (a.requires_grad()) add_part(dy, {0, w}, grad(a), {0, wa}, rows, wa);
    if (b.requires_grad()) add_part(dy, {wa, w}, grad(b), {0, wb}, rows, wb);
  });
  return y;
}

Tensor slice(const Tensor& x, int64_t begin, int64_t end) {
  check_alive("slice", {x});
  if (x.shape.rank() < 1 || begin < 0 || end < begin || end > x.shape[-1])
    refuse("slice: [{},{}) is outside the last dimension of {}", begin, end, x.shape.str());
  const int64_t n = x.shape[-1], w = end - begin, rows = n == 0 ? 0 : x.numel() / n;
  Tensor y = empty(with_last(x.shape, w), x.dtype, x.device);
  copy_part(x, {begin, n}, y, {0, w}, rows, w);
  Tape::current().record(y, {x}, [=](const Tensor& dy) { add_part(dy, {0, w}, grad(x), {begin, n}, rows, w); });
  return y;
}

Tensor time_step(const Tensor& x, int64_t t) {
  check_alive("time_step", {x});
  if (x.shape.rank() != 3 || t < 0 || t >= x.shape[1])
    refuse("time_step: step {} of {}; expected [B,T,E]", t, x.shape.str());
  const int64_t batch = x.shape[0], width = x.shape[2], stride = x.shape[1] * width;
  Tensor y = empty({batch, width}, x.dtype, x.device);
  copy_part(x, {t * width, stride}, y, {0, width}, batch, width);
  Tape::current().record(y, {x}, [=](const Tensor& dy) {
    add_part(dy, {0, width}, grad(x), {t * width, stride}, batch, width);
  });
  return y;
}

Tensor stack_steps(const std::vector<Tensor>& steps) {
  if (steps.empty()) refuse("stack_steps: no steps");
  const Tensor& first = steps[0];
  const auto count = static_cast<int64_t>(steps.size());
  Tensor* kept = static_cast<Tensor*>(Tape::current().scratch(steps.size() * sizeof(Tensor), Device::cpu));
  bool any = false;
  for (size_t i = 0; i < steps.size(); ++i) {
    check_alive("stack_steps", {first, steps[i]});
    if (steps[i].shape.rank() != 2 || !(steps[i].shape == first.shape))
      refuse("stack_steps: step {} is {}, the first is {}", i, steps[i].shape.str(), first.shape.str());
    if (steps[i].dtype != first.dtype)
      refuse("stack_steps: step {} is {}, the first is {}", i, name_of(steps[i].dtype), name_of(first.dtype));
    kept[i] = steps[i];
    any |= steps[i].requires_grad();
  }
  const int64_t batch = first.shape[0], width = first.shape[1], stride = count * width;
  Tensor y = empty({batch, count, width}, first.dtype, first.device);
  for (int64_t t = 0; t < count; ++t) copy_part(kept[t], {0, width}, y, {t * width, stride}, batch, width);
  if (any) {
    Tensor witness = first;  // recording asks for an input that wants a gradient; any of the steps may be the one
    for (const Tensor& s : steps)
      if (s.requires_grad()) witness = s;
    Tape::current().record(y, {witness}, [=](const Tensor& dy) {
      for (int64_t t = 0; t < count; ++t)
        if (kept[t].requires_grad()) add_part(dy, {t * width, stride}, grad(kept[t]), {0, width}, batch, width);
    });
  }
  return y;
}

}  // namespace seqgrad

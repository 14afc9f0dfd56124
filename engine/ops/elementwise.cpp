// The loops behind the lists of elementwise.h, and their entries in the registry.
#include "engine/ops/elementwise.h"

#include <algorithm>
#include <array>

#include "engine/core/expect.h"
#include "engine/core/op_registry.h"
#include "engine/core/simd.h"
#include "engine/core/thread_pool.h"
#include "engine/ops/write_grads.h"

namespace seqgrad {
namespace {

constexpr int64_t block = 8192;  // elements a thread takes at a time

template <class T, class Op>
SEQGRAD_SIMD void unary_range(const kernels::Unary<T>& k, int64_t begin, int64_t end) {
  SEQGRAD_IVDEP
  for (int64_t i = begin; i < end; ++i) k.y[i] = Op::template f<T>(k.x[i]);
}
template <class T, class Op>
void unary_cpu(const kernels::Unary<T>& k) {
  parallel_ranges(k.n, block, [&](int64_t begin, int64_t end) { unary_range<T, Op>(k, begin, end); });
}

template <class T, class Op>
SEQGRAD_SIMD void unary_grad_range(const kernels::UnaryGrad<T>& k, int64_t begin, int64_t end) {
  SEQGRAD_IVDEP
  for (int64_t i = begin; i < end; ++i) k.dx[i] = T{0} + k.dy[i] * Op::template df<T>(k.x[i], k.y[i]);
}
template <class T, class Op>
void unary_grad_cpu(const kernels::UnaryGrad<T>& k) {
  parallel_ranges(k.n, block, [&](int64_t begin, int64_t end) { unary_grad_range<T, Op>(k, begin, end); });
}

template <class T, class Op>
void binary_cpu(const kernels::Binary<T>& k) {
  parallel_ranges(k.outer, std::max<int64_t>(1, block / std::max<int64_t>(1, k.inner)),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t o = begin; o < end; ++o)
                      for (int64_t i = 0; i < k.inner; ++i)
                        k.y[o * k.inner + i] = Op::template f<T>(k.a[o * k.inner + i], k.b[i]);
                  });
}

// A block of work is a range of the inner dimension, so that db is summed over `outer` in one fixed order.
template <class T, class Op>
void binary_grad_cpu(const kernels::BinaryGrad<T>& k) {
  parallel_ranges(k.inner, 256, [&](int64_t begin, int64_t end) {
    if (k.db) std::fill(k.db + begin, k.db + end, T{0});
    for (int64_t o = 0; o < k.outer; ++o) {
      const T *a = k.a + o * k.inner, *dy = k.dy + o * k.inner;
      if (k.da)
        for (int64_t i = begin; i < end; ++i) k.da[o * k.inner + i] = T{0} + dy[i] * Op::template da<T>(a[i], k.b[i]);
      if (k.db)
        for (int64_t i = begin; i < end; ++i) k.db[i] += dy[i] * Op::template db<T>(a[i], k.b[i]);
    }
  });
}

template <class T>
void axpy_cpu(const kernels::Axpy<T>& k) {
  parallel_ranges(k.n, block, [&](int64_t begin, int64_t end) {
    if (k.accumulate)
      for (int64_t i = begin; i < end; ++i) k.y[i] += k.x[i] == 0 ? T{0} : k.a * k.x[i];
    else
      for (int64_t i = begin; i < end; ++i) k.y[i] = k.x[i] == 0 ? T{0} : k.a * k.x[i];
  });
}

template <class T>
void scale_in_place_cpu(const kernels::ScaleInPlace<T>& k) {
  parallel_ranges(k.n, block, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) k.x[i] = k.x[i] == 0 ? T{0} : k.factor * k.x[i];
  });
}

bool suffix_of(const Shape& b, const Shape& a) {
  if (b.rank() > a.rank()) return false;
  for (int i = 1; i <= b.rank(); ++i)
    if (b[-i] != a[-i]) return false;
  return true;
}

template <class Op>
bool add_unary() {
  return register_op({Op::name, "elementwise"}) &&
         install<Device::cpu>(kernels::unary<float, Op>, unary_cpu<float, Op>) &&
         install<Device::cpu>(kernels::unary<double, Op>, unary_cpu<double, Op>) &&
         install<Device::cpu>(kernels::unary_grad<float, Op>, unary_grad_cpu<float, Op>) &&
         install<Device::cpu>(kernels::unary_grad<double, Op>, unary_grad_cpu<double, Op>);
}

template <class Op>
bool add_binary() {
  return register_op({Op::name, "elementwise; the second operand may have the last dimensions of the first"}) &&
         install<Device::cpu>(kernels::binary<float, Op>, binary_cpu<float, Op>) &&
         install<Device::cpu>(kernels::binary<double, Op>, binary_cpu<double, Op>) &&
         install<Device::cpu>(kernels::binary_grad<float, Op>, binary_grad_cpu<float, Op>) &&
         install<Device::cpu>(kernels::binary_grad<double, Op>, binary_grad_cpu<double, Op>);
}

// Callers in other files find the ops made here: of the whole list, since these name them.
template <class... Op>
constexpr std::array<Tensor (*)(const Tensor&), sizeof...(Op)> all_unary(OpList<Op...>) {
  return {&unary<Op>...};
}
template <class... Op>
constexpr std::array<Tensor (*)(const Tensor&, const Tensor&), sizeof...(Op)> all_binary(OpList<Op...>) {
  return {&binary<Op>...};
}
[[gnu::used]] constexpr auto unary_ops = all_unary(UnaryOps{});
[[gnu::used]] constexpr auto binary_ops = all_binary(BinaryOps{});

template <class... Op>
bool add_all_unary(OpList<Op...>) {
  return (add_unary<Op>() && ...);
}
template <class... Op>
bool add_all_binary(OpList<Op...>) {
  return (add_binary<Op>() && ...);
}

const bool registered = add_all_unary(UnaryOps{}) && add_all_binary(BinaryOps{}) &&
                        install<Device::cpu>(kernels::axpy<float>, axpy_cpu<float>) &&
                        install<Device::cpu>(kernels::axpy<double>, axpy_cpu<double>) &&
                        install<Device::cpu>(kernels::scale_in_place<float>, scale_in_place_cpu<float>) &&
                        install<Device::cpu>(kernels::scale_in_place<double>, scale_in_place_cpu<double>) &&
                        register_op({"scale", "factor·x"});

}  // namespace

template <class Op>
Tensor unary(const Tensor& x) {
  expect(Op::name, {{"x", x, "[...]"}});
  Tensor y = empty_like(x);
  dispatch(x.dtype, [&]<class T> { kernels::unary<T, Op>(x.device, {x.as<T>(), y.as<T>(), x.numel()}); });
  Tape::current().record(y, {.inputs = {x}, .saves = {x}, .saves_result = true}, [x, y](const Tensor& dy) {
    dispatch(x.dtype, [&]<class T> {
      write_grads<T>({x}, [&](T* dx) {
        kernels::unary_grad<T, Op>(x.device, {x.as<T>(), y.as<T>(), dy.as<T>(), dx, x.numel()});
      });
    });
  });
  return y;
}

template <class Op>
Tensor binary(const Tensor& a, const Tensor& b) {
  check_alive(Op::name, {a, b});
  if (a.dtype != b.dtype || !suffix_of(b.shape, a.shape))
    refuse("{}: {} {} and {} {} do not fit; the second needs the first's dtype and its shape or last dimensions",
           Op::name, name_of(a.dtype), a.shape.str(), name_of(b.dtype), b.shape.str());
  const int64_t inner = b.numel(), outer = inner == 0 ? 0 : a.numel() / inner;
  Tensor y = empty_like(a);
  dispatch(a.dtype, [&]<class T> {
    kernels::binary<T, Op>(a.device, {a.as<T>(), b.as<T>(), y.as<T>(), outer, inner});
  });
  Tape::current().record(y, {.inputs = {a, b}, .saves = {a, b}}, [a, b, outer, inner](const Tensor& dy) {
    dispatch(a.dtype, [&]<class T> {
      write_grads<T>({a, b}, [&](T* da, T* db) {
        kernels::binary_grad<T, Op>(a.device, {a.as<T>(), b.as<T>(), dy.as<T>(), da, db, outer, inner});
      });
    });
  });
  return y;
}

Tensor scale(const Tensor& x, double factor) {
  expect("scale", {{"x", x, "[...]"}});
  Tensor y = empty_like(x);
  const auto axpy = [factor](const Tensor& from, const GradTarget& to) {
    dispatch(from.dtype, [&]<class T> {
      kernels::axpy<T>(from.device,
                       {static_cast<T>(factor), from.as<T>(), to.tensor.as<T>(), from.numel(), to.accumulate});
    });
  };
  axpy(x, {y, false});
  Tape::current().record(y, {.inputs = {x}}, [x, axpy](const Tensor& dy) { axpy(dy, grad_target(x)); });
  return y;
}

}  // namespace seqgrad

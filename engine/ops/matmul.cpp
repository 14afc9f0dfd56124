// Matrix products through the device's GEMM; every weight gradient is one product over all rows.
#include "engine/ops/matmul.h"

#include <algorithm>

#include "engine/core/op_registry.h"
#include "engine/core/simd.h"
#include "engine/core/thread_pool.h"
#include "engine/device/gemm.h"
#include "engine/device/right_factor.h"
#include "engine/ops/weight_gradient.h"

namespace seqgrad {
namespace {

template <class T>
void fill_rows_cpu(const kernels::AddRows<T>& k) {
  parallel_ranges(k.rows, std::max<int64_t>(1, 8192 / std::max<int64_t>(1, k.n)), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) std::copy_n(k.row, k.n, k.x + r * k.n);
  });
}

constexpr int64_t columns_at_once = 128;  // their sums stay in registers

template <class T>
SEQGRAD_SIMD void sum_columns(const T* x, int64_t rows, int64_t stride, T* sum) {
  T sums[columns_at_once];
  std::copy_n(sum, columns_at_once, sums);
  for (int64_t r = 0; r < rows; ++r, x += stride)
    for (int64_t i = 0; i < columns_at_once; ++i) sums[i] += x[i];
  std::copy_n(sums, columns_at_once, sum);
}
template <class T>
void sum_rows_cpu(const kernels::SumRows<T>& k) {
  parallel_ranges(k.n, columns_at_once, [&](int64_t begin, int64_t end) {
    if (end - begin == columns_at_once) return sum_columns(k.x + begin, k.rows, k.stride, k.sum + begin);
    for (int64_t r = 0; r < k.rows; ++r)
      for (int64_t i = begin; i < end; ++i) k.sum[i] += k.x[r * k.stride + i];
  });
}

template <class T>
void products(Device device, int64_t count, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a, const T* b,
              T beta, T* c) {
  kernels::batched_gemm<T>(device,
                           {{ta, tb, m, n, k, a, ta ? m : k, b, tb ? k : n, beta, c, n}, count, m * k, k * n, m * n});
}
template <class T>
void product(Device device, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a, const T* b, T beta, T* c) {
  kernels::gemm<T>(device, {ta, tb, m, n, k, a, ta ? m : k, b, tb ? k : n, beta, c, n});
}

Values naive(const Values& a, const Values& b, int64_t batch, int64_t m, int64_t n, int64_t k, bool ta, bool tb) {
  Values y;
  for (int64_t p = 0; p < batch; ++p)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t q = 0; q < k; ++q)
          sum += a[static_cast<size_t>(p * m * k + (ta ? q * m + i : i * k + q))] *
                 b[static_cast<size_t>(p * k * n + (tb ? j * k + q : q * n + j))];
        y.push_back(sum);
      }
  return y;
}

OpSample matmul_sample(const char* label, int64_t m, int64_t n, int64_t k, bool ta, bool tb) {
  OpSample s;
  s.label = label;
  s.inputs = {SampleInput::reals(ta ? Shape{k, m} : Shape{m, k}), SampleInput::reals(tb ? Shape{n, k} : Shape{k, n})};
  s.call = [=](std::span<const Tensor> in) { return matmul(in[0], in[1], ta, tb); };
  s.expected = [=](const std::vector<Values>& in) { return naive(in[0], in[1], 1, m, n, k, ta, tb); };
  return s;
}

OpSample linear_sample(const char* label, Shape x, int64_t out, bool bias) {
  OpSample s;
  s.label = label;
  const int64_t in_features = x[-1], rows = x.numel() / in_features;
  s.inputs = {SampleInput::reals(x), SampleInput::reals({in_features, out})};
  if (bias) s.inputs.push_back(SampleInput::reals({out}));
  s.call = [=](std::span<const Tensor> in) { return linear(in[0], in[1], bias ? in[2] : Tensor{}); };
  s.expected = [=](const std::vector<Values>& in) {
    Values y = naive(in[0], in[1], 1, rows, out, in_features, false, false);
    if (bias)
      for (size_t i = 0; i < y.size(); ++i) y[i] += in[2][i % static_cast<size_t>(out)];
    return y;
  };
  return s;
}

const bool registered =
    install<Device::cpu>(kernels::fill_rows<float>, fill_rows_cpu<float>) &&
    install<Device::cpu>(kernels::fill_rows<double>, fill_rows_cpu<double>) &&
    install<Device::cpu>(kernels::sum_rows<float>, sum_rows_cpu<float>) &&
    install<Device::cpu>(kernels::sum_rows<double>, sum_rows_cpu<double>) &&
    register_op({"matmul",
                 "matrix product",
                 {matmul_sample("plain", 3, 4, 5, false, false), matmul_sample("transposed a", 3, 4, 5, true, false),
                  matmul_sample("transposed b", 3, 4, 5, false, true), matmul_sample("both", 2, 3, 4, true, true),
                  matmul_sample("no inner dimension", 2, 3, 0, false, false),
                  matmul_sample("more rows than a block", 300, 3, 2, false, false)}}) &&
    register_op({"linear",
                 "x·W + b",
                 {linear_sample("[2,3,4]", {2, 3, 4}, 5, true), linear_sample("no bias", {6, 4}, 3, false)}}) &&
    register_op({"batched_matmul",
                 "a matrix product per batch entry",
                 {{"[2,3,4]x[2,4,5]",
                   {SampleInput::reals({2, 3, 4}), SampleInput::reals({2, 4, 5})},
                   [](std::span<const Tensor> in) { return batched_matmul(in[0], in[1]); },
                   [](const std::vector<Values>& in) { return naive(in[0], in[1], 2, 3, 5, 4, false, false); }}}});

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, bool ta, bool tb) {
  check_alive("matmul", {a, b});
  if (a.shape.rank() != 2 || b.shape.rank() != 2 || a.dtype != b.dtype || a.shape[ta ? 0 : 1] != b.shape[tb ? 1 : 0])
    refuse("matmul: {} {}{} and {} {}{} do not fit", name_of(a.dtype), a.shape.str(), ta ? " transposed" : "",
           name_of(b.dtype), b.shape.str(), tb ? " transposed" : "");
  const int64_t m = a.shape[ta ? 1 : 0], k = a.shape[ta ? 0 : 1], n = b.shape[tb ? 0 : 1];
  Tensor y = empty({m, n}, a.dtype, a.device);
  with_floating(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    product<T>(a.device, ta, tb, m, n, k, a.as<T>(), b.as<T>(), 0, y.as<T>());
  });
  save_for_backward({a, b});
  Tape::current().record(y, {a, b}, [=](const Tensor& dy) {
    with_floating(a.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T *pa = a.as<T>(), *pb = b.as<T>(), *pdy = dy.as<T>();
      if (a.requires_grad()) {  // da = dy·bᵀ, or (b·dyᵀ) where a came transposed
        T* da = grad(a).as<T>();
        ta ? product<T>(a.device, tb, true, k, m, n, pb, pdy, 1, da)
           : product<T>(a.device, false, !tb, m, k, n, pdy, pb, 1, da);
      }
      if (b.requires_grad()) {
        T* db = grad(b).as<T>();
        tb ? product<T>(a.device, true, ta, n, k, m, pdy, pa, 1, db)
           : product<T>(a.device, !ta, false, k, n, m, pa, pdy, 1, db);
      }
    });
  });
  return y;
}

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) {
  check_alive("linear", {x, w, bias});
  if (w.shape.rank() != 2 || x.shape.rank() < 1 || x.shape[-1] != w.shape[0] || x.dtype != w.dtype ||
      (bias.defined() && !(bias.shape == Shape{w.shape[1]} && bias.dtype == w.dtype)))
    refuse("linear: x {} {}, w {} {} and bias {} do not fit", name_of(x.dtype), x.shape.str(), name_of(w.dtype),
           w.shape.str(), bias.shape.str());
  const int64_t in = w.shape[0], out = w.shape[1];
  Shape shape;
  int64_t rows = 1;
  for (int i = 0; i + 1 < x.shape.rank(); ++i) {
    shape.push_back(x.shape[i]);
    rows *= x.shape[i];
  }
  shape.push_back(out);
  Tensor y = empty(shape, x.dtype, x.device);
  with_floating(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (bias.defined()) kernels::fill_rows<T>(x.device, {bias.as<T>(), y.as<T>(), rows, out});
    product<T>(x.device, false, false, rows, out, in, x.as<T>(), w.as<T>(), bias.defined() ? T{1} : T{0}, y.as<T>());
  });
  save_for_backward({x, w});
  Tape::current().record(y, {x, w, bias}, [=](const Tensor& dy) {
    with_floating(x.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T* pdy = dy.as<T>();
      const bool step = x.shape.rank() == 2;
      if (x.requires_grad() && step && x.device == Device::cpu)
        product<T>(x.device, false, false, rows, in, out, pdy, transposed_once(out, in, w.as<T>(), out), 1,
                   grad(x).as<T>());
      else if (x.requires_grad())
        product<T>(x.device, false, true, rows, in, out, pdy, w.as<T>(), 1, grad(x).as<T>());
      if (w.requires_grad()) add_weight_gradient<T>(w, rows, x.as<T>(), pdy, step);
      if (bias.requires_grad()) kernels::sum_rows<T>(x.device, {pdy, grad(bias).as<T>(), rows, out, out});
    });
  });
  return y;
}

Tensor batched_matmul(const Tensor& a, const Tensor& b) {
  check_alive("batched_matmul", {a, b});
  if (a.shape.rank() != 3 || b.shape.rank() != 3 || a.dtype != b.dtype || a.shape[0] != b.shape[0] ||
      a.shape[2] != b.shape[1])
    refuse("batched_matmul: {} {} and {} {} do not fit", name_of(a.dtype), a.shape.str(), name_of(b.dtype),
           b.shape.str());
  const int64_t batch = a.shape[0], m = a.shape[1], k = a.shape[2], n = b.shape[2];
  Tensor y = empty({batch, m, n}, a.dtype, a.device);
  with_floating(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    products<T>(a.device, batch, false, false, m, n, k, a.as<T>(), b.as<T>(), 0, y.as<T>());
  });
  save_for_backward({a, b});
  Tape::current().record(y, {a, b}, [=](const Tensor& dy) {
    with_floating(a.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T* pdy = dy.as<T>();
      if (a.requires_grad()) products<T>(a.device, batch, false, true, m, k, n, pdy, b.as<T>(), 1, grad(a).as<T>());
      if (b.requires_grad()) products<T>(a.device, batch, true, false, k, n, m, a.as<T>(), pdy, 1, grad(b).as<T>());
    });
  });
  return y;
}

}  // namespace seqgrad

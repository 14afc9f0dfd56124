// Matrix products through the device's GEMM.
#include "engine/ops/matmul.h"

#include <algorithm>

#include "engine/core/op_registry.h"
#include "engine/core/simd.h"
#include "engine/core/thread_pool.h"

namespace seqgrad {
namespace {

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
  const Matrix<const T>& x = k.x;
  parallel_ranges(x.cols, columns_at_once, [&](int64_t begin, int64_t end) {
    if (end - begin == columns_at_once) return sum_columns(x.data + begin, x.rows, x.ld, k.sum + begin);
    for (int64_t r = 0; r < x.rows; ++r)
      for (int64_t i = begin; i < end; ++i) k.sum[i] += *x.at(r, i);
  });
}

const bool registered = install<Device::cpu>(kernels::sum_rows<float>, sum_rows_cpu<float>) &&
                        install<Device::cpu>(kernels::sum_rows<double>, sum_rows_cpu<double>) &&
                        register_op({"matmul", "matrix product"}) && register_op({"linear", "x·W + b"}) &&
                        register_op({"batched_matmul", "a matrix product per batch entry"});

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, bool ta, bool tb) {
  check_alive("matmul", {a, b});
  if (a.shape.rank() != 2 || b.shape.rank() != 2 || a.dtype != b.dtype || a.shape[ta ? 0 : 1] != b.shape[tb ? 1 : 0])
    refuse("matmul: {} {}{} and {} {}{} do not fit", name_of(a.dtype), a.shape.str(), ta ? " transposed" : "",
           name_of(b.dtype), b.shape.str(), tb ? " transposed" : "");
  Tensor y = empty({a.shape[ta ? 1 : 0], b.shape[tb ? 0 : 1]}, a.dtype, a.device);
  const auto left = [=]<class T>(T) { return ta ? as_matrix<T>(a).t() : as_matrix<T>(a); };
  const auto right = [=]<class T>(T) { return tb ? as_matrix<T>(b).t() : as_matrix<T>(b); };
  dispatch(a.dtype, [&]<class T> { kernels::gemm<T>(a.device, {left(T{}), right(T{}), as_matrix<T>(y), false}); });
  save_for_backward({a, b});
  Tape::current().record(y, {a, b}, [=](const Tensor& dy_tensor) {
    dispatch(a.dtype, [&]<class T> {
      const Matrix<T> A = left(T{}), B = right(T{}), dy = as_matrix<T>(dy_tensor);
      if (a.requires_grad()) {  // dA = dy·Bᵀ
        const Matrix<T> da = as_matrix<T>(grad(a));
        kernels::gemm<T>(a.device, ta ? Gemm<T>{B, dy.t(), da, true} : Gemm<T>{dy, B.t(), da, true});
      }
      if (b.requires_grad()) {  // dB = Aᵀ·dy
        const Matrix<T> db = as_matrix<T>(grad(b));
        kernels::gemm<T>(a.device, tb ? Gemm<T>{dy.t(), A, db, true} : Gemm<T>{A.t(), dy, db, true});
      }
    });
  });
  return y;
}

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias, Span span) {
  check_alive("linear", {x, w, bias});
  if (w.shape.rank() != 2 || x.shape.rank() < 1 || x.shape[-1] != w.shape[0] || x.dtype != w.dtype ||
      (bias.defined() && !(bias.shape == Shape{w.shape[1]} && bias.dtype == w.dtype)))
    refuse("linear: x {} {}, w {} {} and bias {} do not fit", name_of(x.dtype), x.shape.str(), name_of(w.dtype),
           w.shape.str(), bias.shape.str());
  Shape shape;
  for (int i = 0; i + 1 < x.shape.rank(); ++i) shape.push_back(x.shape[i]);
  shape.push_back(w.shape[1]);
  Tensor y = empty(shape, x.dtype, x.device);
  dispatch(x.dtype, [&]<class T> {
    kernels::gemm<T>(x.device, {.a = as_matrix<T>(x),
                                .b = as_matrix<T>(w),
                                .c = as_matrix<T>(y),
                                .accumulate = false,
                                .bias = bias.defined() ? bias.as<T>() : nullptr});
  });
  save_for_backward({x, w});
  Tape::current().record(y, {x, w, bias}, [=](const Tensor& dy_tensor) {
    dispatch(x.dtype, [&]<class T> {
      const Matrix<const T> dy = as_matrix<T>(dy_tensor);
      if (x.requires_grad()) {
        const PackedMatrix<T> wt =
            span == Span::time_step ? TimeSteps<T>::current().transposed(w) : as_matrix<T>(w).t();
        kernels::gemm<T>(x.device, {dy, wt, as_matrix<T>(grad(x)), true});
      }
      add_weight_gradient<T>(w, as_matrix<T>(x), dy, span);
      add_bias_gradient<T>(bias, dy);
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
  const auto left = [=]<class T>(T) { return Matrix{a.as<T>(), m, k}; };
  const auto right = [=]<class T>(T) { return Matrix{b.as<T>(), k, n}; };
  dispatch(a.dtype, [&]<class T> {
    kernels::gemm<T>(a.device, {left(T{}), right(T{}), Matrix{y.as<T>(), m, n}, false, {batch, m * k, k * n, m * n}});
  });
  save_for_backward({a, b});
  Tape::current().record(y, {a, b}, [=](const Tensor& dy_tensor) {
    dispatch(a.dtype, [&]<class T> {
      const Matrix dy{dy_tensor.as<T>(), m, n};
      if (a.requires_grad())
        kernels::gemm<T>(a.device,
                         {dy, right(T{}).t(), Matrix{grad(a).as<T>(), m, k}, true, {batch, m * n, k * n, m * k}});
      if (b.requires_grad())
        kernels::gemm<T>(a.device,
                         {left(T{}).t(), dy, Matrix{grad(b).as<T>(), k, n}, true, {batch, m * k, m * n, k * n}});
    });
  });
  return y;
}

}  // namespace seqgrad

// Matrix products through the device's GEMM.
#include "engine/ops/matmul.h"

#include <algorithm>

#include "engine/core/expect.h"
#include "engine/core/op_registry.h"
#include "engine/core/simd.h"
#include "engine/core/thread_pool.h"
#include "engine/device/prepared_weights.h"

namespace seqgrad {
namespace {

constexpr int64_t block_columns = 128;  // their sums stay in registers

template <class T>
SEQGRAD_SIMD void sum_columns(const T* x, int64_t rows, int64_t stride, T* sum) {
  T sums[block_columns];
  std::copy_n(sum, block_columns, sums);
  for (int64_t r = 0; r < rows; ++r, x += stride)
    for (int64_t i = 0; i < block_columns; ++i) sums[i] += x[i];
  std::copy_n(sums, block_columns, sum);
}
template <class T>
void sum_rows_cpu(const kernels::SumRows<T>& k) {
  const Matrix<const T>& x = k.x;
  parallel_ranges(x.cols, block_columns, [&](int64_t begin, int64_t end) {
    if (end - begin == block_columns) return sum_columns(x.data + begin, x.rows, x.ld, k.sum + begin);
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
  const Dims d = expect("matmul", {{"a", a, ta ? "[K,M]" : "[M,K]"}, {"b", b, tb ? "[N,K]" : "[K,N]"}});
  Tensor y = empty({d['M'], d['N']}, a.dtype, a.device);
  const auto left = [=]<class T>(T) { return ta ? as_matrix<T>(a).t() : as_matrix<T>(a); };
  const auto right = [=]<class T>(T) { return tb ? as_matrix<T>(b).t() : as_matrix<T>(b); };
  dispatch(a.dtype, [&]<class T> { kernels::gemm<T>(a.device, {left(T{}), right(T{}), as_matrix<T>(y), false}); });
  Tape::current().record(y, {.inputs = {a, b}, .saves = {a, b}}, [=](const Tensor& dy_tensor) {
    dispatch(a.dtype, [&]<class T> {
      const Matrix<T> A = left(T{}), B = right(T{}), dy = as_matrix<T>(dy_tensor);
      if (a.requires_grad()) {  // dA = dy·Bᵀ
        const auto [da, accumulate] = grad_target(a);
        const Matrix<T> to = as_matrix<T>(da);
        kernels::gemm<T>(a.device, ta ? Gemm<T>{B, dy.t(), to, accumulate} : Gemm<T>{dy, B.t(), to, accumulate});
      }
      if (b.requires_grad()) {  // dB = Aᵀ·dy
        const auto [db, accumulate] = grad_target(b);
        const Matrix<T> to = as_matrix<T>(db);
        kernels::gemm<T>(a.device, tb ? Gemm<T>{dy.t(), A, to, accumulate} : Gemm<T>{A.t(), dy, to, accumulate});
      }
    });
  });
  return y;
}

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias, Span span) {
  const Dims d = expect("linear", {{"x", x, "[...,I]"}, {"w", w, "[I,O]"}, {"bias", bias, "[O]?"}});
  Shape shape;
  for (int i = 0; i + 1 < x.shape.rank(); ++i) shape.push_back(x.shape[i]);
  shape.push_back(d['O']);
  Tensor y = empty(shape, x.dtype, x.device);
  dispatch(x.dtype, [&]<class T> {
    kernels::gemm<T>(x.device, {.a = as_matrix<T>(x),
                                .b = prepared<T>(w),
                                .c = as_matrix<T>(y),
                                .accumulate = false,
                                .bias = bias.as_or_null<T>()});
  });
  Tape::current().record(y, {.inputs = {x, w, bias}, .saves = {x, w}}, [=](const Tensor& dy_tensor) {
    dispatch(x.dtype, [&]<class T> {
      const Matrix<const T> dy = as_matrix<T>(dy_tensor);
      if (x.requires_grad()) {
        const auto [dx, accumulate] = grad_target(x);
        const PackedMatrix<T> wt =
            span == Span::time_step ? TimeSteps<T>::current().transposed(w) : as_matrix<T>(w).t();
        kernels::gemm<T>(x.device, {dy, wt, as_matrix<T>(dx), accumulate});
      }
      add_weight_gradient<T>(w, as_matrix<T>(x), dy, span);
      add_bias_gradient<T>(bias, dy);
    });
  });
  return y;
}

Tensor batched_matmul(const Tensor& a, const Tensor& b) {
  const Dims d = expect("batched_matmul", {{"a", a, "[B,M,K]"}, {"b", b, "[B,K,N]"}});
  const int64_t batch = d['B'], m = d['M'], k = d['K'], n = d['N'];
  Tensor y = empty({batch, m, n}, a.dtype, a.device);
  const auto left = [=]<class T>(T) { return Matrix{a.as<T>(), m, k}; };
  const auto right = [=]<class T>(T) { return Matrix{b.as<T>(), k, n}; };
  dispatch(a.dtype, [&]<class T> {
    kernels::gemm<T>(a.device, {left(T{}), right(T{}), Matrix{y.as<T>(), m, n}, false, {batch, m * k, k * n, m * n}});
  });
  Tape::current().record(y, {.inputs = {a, b}, .saves = {a, b}}, [=](const Tensor& dy_tensor) {
    dispatch(a.dtype, [&]<class T> {
      const Matrix dy{dy_tensor.as<T>(), m, n};
      if (a.requires_grad()) {
        const auto [da, accumulate] = grad_target(a);
        kernels::gemm<T>(a.device,
                         {dy, right(T{}).t(), Matrix{da.as<T>(), m, k}, accumulate, {batch, m * n, k * n, m * k}});
      }
      if (b.requires_grad()) {
        const auto [db, accumulate] = grad_target(b);
        kernels::gemm<T>(a.device,
                         {left(T{}).t(), dy, Matrix{db.as<T>(), k, n}, accumulate, {batch, m * k, m * n, k * n}});
      }
    });
  });
  return y;
}

}  // namespace seqgrad

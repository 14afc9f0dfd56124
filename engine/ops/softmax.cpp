// Softmax and log-softmax share one pass; masking is selection of a prefix, never multiplication.
#include "engine/ops/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/expect.h"
#include "engine/core/op_registry.h"
#include "engine/core/thread_pool.h"
#include "engine/ops/id_range.h"
#include "engine/ops/row_passes.h"
#include "engine/ops/write_grads.h"

namespace seqgrad {
namespace {

template <class T>
void softmax_cpu(const kernels::Softmax<T>& k) {
  const RowPasses<T>& passes = row_passes<T>();
  parallel_ranges(k.rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* x = k.x + r * k.n;
      T* y = k.y + r * k.n;
      const int64_t n = k.lengths ? k.lengths[r] : k.n;
      std::fill(y + n, y + k.n, T{0});
      if (n == 0) continue;
      const T top = passes.maximum_of(x, n);
      if (!std::isfinite(top)) {  // no distribution: all NaN, as inf − inf is
        std::fill_n(y, n, std::numeric_limits<T>::quiet_NaN());
        continue;
      }
      const ExpSums sums = passes.exponentials(x, top, y, n, Distance::none, nullptr, nullptr);
      const double total = sums.tail + static_cast<double>(sums.maxima);
      if (k.log) {
        const T log_total = static_cast<T>(std::log(total));
        for (int64_t i = 0; i < n; ++i) y[i] = x[i] - top - log_total;
      } else {
        passes.scale_and_shift(y, static_cast<T>(1 / total), T{0}, n, nullptr);
      }
    }
  });
}

template <class T>
void softmax_grad_cpu(const kernels::SoftmaxGrad<T>& k) {
  parallel_ranges(k.rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T *y = k.y + r * k.n, *dy = k.dy + r * k.n;
      T* dx = k.dx + r * k.n;
      const int64_t n = k.lengths ? k.lengths[r] : k.n;
      T dot = 0;
      for (int64_t i = 0; i < n; ++i) dot += k.log ? dy[i] : y[i] * dy[i];
      for (int64_t i = 0; i < n; ++i) dx[i] = T{0} + (k.log ? dy[i] - std::exp(y[i]) * dot : y[i] * (dy[i] - dot));
      std::fill(dx + n, dx + k.n, T{0});
    }
  });
}

Tensor apply(const char* op, const Tensor& x, const Tensor& lengths, bool log) {
  const int64_t n = expect(op, {{"x", x, "[...,N]"}, {"lengths", lengths, "[...] i32?"}})['N'],
                rows = n == 0 ? 0 : x.numel() / n;
  if (lengths.defined()) {
    if (lengths.numel() != rows) refuse("{}: {} lengths for {} rows", op, lengths.numel(), rows);
    check_lengths(op, "lengths", lengths, n);
  }
  Tensor y = empty_like(x);
  const int32_t* at = lengths.as_or_null<int32_t>();
  dispatch(x.dtype, [&]<class T> { kernels::softmax<T>(x.device, {x.as<T>(), y.as<T>(), at, rows, n, log}); });
  Tape::current().record(y, {.inputs = {x}, .saves_result = true}, [=](const Tensor& dy) {
    dispatch(x.dtype, [&]<class T> {
      write_grads<T>({x}, [&](T* dx) {
        kernels::softmax_grad<T>(x.device, {y.as<T>(), dy.as<T>(), dx, at, rows, n, log});
      });
    });
  });
  return y;
}

const bool registered = install<Device::cpu>(kernels::softmax<float>, softmax_cpu<float>) &&
                        install<Device::cpu>(kernels::softmax<double>, softmax_cpu<double>) &&
                        install<Device::cpu>(kernels::softmax_grad<float>, softmax_grad_cpu<float>) &&
                        install<Device::cpu>(kernels::softmax_grad<double>, softmax_grad_cpu<double>) &&
                        register_op({"softmax", "softmax over the last dimension"}) &&
                        register_op({"log_softmax", "logarithm of softmax"});

}  // namespace

Tensor softmax(const Tensor& x, const Tensor& lengths) { return apply("softmax", x, lengths, false); }
Tensor log_softmax(const Tensor& x) { return apply("log_softmax", x, {}, true); }

}  // namespace seqgrad

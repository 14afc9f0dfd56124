// A thread takes one sentence; products run over its true length only, so padding changes no bit.
#include "engine/ops/attention.h"

#include <algorithm>
#include <cmath>

#include "engine/core/op_registry.h"
#include "engine/core/thread_pool.h"
#include "engine/device/cpu_gemm.h"
#include "engine/ops/cell_rows.h"
#include "engine/ops/id_range.h"
#include "engine/ops/matmul.h"
#include "engine/ops/view.h"

namespace seqgrad {
namespace {

// y [rows,n] = x [rows,k]·Mᵀ of M [n,k]; here and below one row, a step of a decoder, is not worth a call of the GEMM.
template <class T>
void multiply_transposed(int64_t rows, int64_t n, int64_t k, const T* x, const T* m, T* y, int64_t ldy) {
  if (rows > 1) return cpu_gemm(Gemm<T>{false, true, rows, n, k, x, k, m, k, T{0}, y, ldy});
  for (int64_t j = 0; j < n; ++j) y[j] = dot(x, m + j * k, k);
}
// y [rows,n] = x [rows,k]·M [k,n] + beta·y
template <class T>
void multiply(int64_t rows, int64_t n, int64_t k, const T* x, int64_t ldx, const T* m, T beta, T* y) {
  if (rows > 1) return cpu_gemm(Gemm<T>{false, false, rows, n, k, x, ldx, m, n, beta, y, n});
  if (beta == 0) std::fill_n(y, n, T{0});
  for (int64_t i = 0; i < k; ++i) add_scaled(x[i], m + i * n, y, n);
}
// y [k,n] += x [rows,k]ᵀ·z [rows,n]
template <class T>
void multiply_back(int64_t rows, int64_t n, int64_t k, const T* x, int64_t ldx, const T* z, T* y) {
  if (rows > 1) return cpu_gemm(Gemm<T>{true, false, k, n, rows, x, ldx, z, n, T{1}, y, n});
  for (int64_t i = 0; i < k; ++i) add_scaled(x[i], z, y + i * n, n);
}

template <class T>
void attention_cpu(const kernels::Attention<T>& k) {
  const int64_t d = k.key_width, c = k.value_width, s = k.source;
  parallel_blocks(k.batch, [&](int64_t b) {
    const int64_t n = k.lengths[b];
    T *a = k.weights + b * k.steps * s, *context = k.context + b * k.steps * c;
    for (int64_t t = 0; t < k.steps; ++t) std::fill_n(a + t * s + n, s - n, T{0});
    if (n == 0) return void(std::fill_n(context, k.steps * c, T{0}));
    const T *q = k.query + b * k.steps * d, *keys = k.keys + b * s * d;
    if (k.v)
      for (int64_t i = 0; i < n; ++i) a[i] = additive_score(q, keys + i * d, k.v, d);
    else
      multiply_transposed(k.steps, n, d, q, keys, a, s);
    for (int64_t t = 0; t < k.steps; ++t) softmax_row(a + t * s, n);
    multiply(k.steps, c, n, a, s, k.values + b * s * c, T{0}, context);
  });
}

template <class T>
void attention_grad_cpu(const kernels::AttentionGrad<T>& k) {
  const int64_t d = k.key_width, c = k.value_width, s = k.source;
  parallel_blocks(k.batch, [&](int64_t b) {
    const int64_t n = k.lengths[b];
    if (n == 0) return;
    const T *a = k.weights + b * k.steps * s, *dc = k.dcontext + b * k.steps * c, *q = k.query + b * k.steps * d,
            *keys = k.keys + b * s * d;
    T* ds = k.dscores + b * k.steps * s;
    if (k.dvalues) multiply_back(k.steps, c, n, a, s, dc, k.dvalues + b * s * c);
    multiply_transposed(k.steps, n, c, dc, k.values + b * s * c, ds, s);
    for (int64_t t = 0; t < k.steps; ++t) {
      T dot = 0;
      for (int64_t i = 0; i < n; ++i) dot += a[t * s + i] * ds[t * s + i];
      for (int64_t i = 0; i < n; ++i) ds[t * s + i] = a[t * s + i] * (ds[t * s + i] - dot);
    }
    T *dq = k.dquery ? k.dquery + b * k.steps * d : nullptr, *dk = k.dkeys ? k.dkeys + b * s * d : nullptr;
    if (k.v) {
      for (int64_t i = 0; i < n; ++i) additive_score_grad(q, keys + i * d, k.v, ds[i], dq, dk + i * d, k.dv + b * d, d);
      return;
    }
    if (dq) multiply(k.steps, d, n, ds, s, keys, T{1}, dq);
    if (dk) multiply_back(k.steps, d, n, ds, s, q, dk);
  });
}

void check_shapes(const char* op, const Tensor& query, const Tensor& keys, const Tensor& values,
                  const Tensor& lengths) {
  const int64_t batch = query.shape[0];
  if (keys.shape.rank() != 3 || values.shape.rank() != 3 || keys.shape[0] != batch || values.shape[0] != batch ||
      keys.shape[1] != values.shape[1] || keys.shape[2] != query.shape[-1] || !(lengths.shape == Shape{batch}))
    refuse("{}: query {}, keys {}, values {}, lengths {} do not fit", op, query.shape.str(), keys.shape.str(),
           values.shape.str(), lengths.shape.str());
  check_lengths(op, "lengths", lengths, keys.shape[1]);
}

// Both kinds: query [B,T,D] (T = 1 and v for additive); the result is [B,T,C].
Tensor attend(const char* op, const Tensor& query, const Tensor& keys, const Tensor& v, const Tensor& values,
              const Tensor& lengths, Tensor* weights) {
  check_alive(op, {query, keys, v, values, lengths});
  check_shapes(op, query, keys, values, lengths);
  const int64_t batch = query.shape[0], steps = query.shape[1], source = keys.shape[1], d = keys.shape[2],
                c = values.shape[2];
  Tensor y = empty({batch, steps, c}, query.dtype, query.device);
  const Tensor a = empty({batch, steps, source}, query.dtype, query.device);
  with_floating(query.dtype, [&](auto zero) {
    using T = decltype(zero);
    kernels::attention<T>(query.device, {query.as<T>(), keys.as<T>(), v.defined() ? v.as<T>() : nullptr, values.as<T>(),
                                         lengths.as<int32_t>(), a.as<T>(), y.as<T>(), batch, steps, source, d, c});
  });
  if (weights) *weights = a;
  save_for_backward({query, keys, v, values});
  Tape::current().record(y, {query, keys, v, values}, [=](const Tensor& dy) {
    with_floating(query.dtype, [&](auto zero) {
      using T = decltype(zero);
      // The additive form adds to all three at once; where one is not wanted, scratch takes it.
      const auto target = [&](const Tensor& x) -> T* {
        if (x.requires_grad()) return grad(x).template as<T>();
        return v.defined() ? zeros(x.shape, x.dtype, x.device).template as<T>() : nullptr;
      };
      const Tensor dv = v.defined() ? zeros({batch, d}, query.dtype, query.device) : Tensor{};
      kernels::attention_grad<T>(
          query.device, {query.as<T>(), keys.as<T>(), v.defined() ? v.as<T>() : nullptr, values.as<T>(), a.as<T>(),
                         dy.as<T>(), lengths.as<int32_t>(), target(query), target(keys),
                         values.requires_grad() ? grad(values).as<T>() : nullptr, v.defined() ? dv.as<T>() : nullptr,
                         empty({batch, steps, source}, query.dtype, query.device).as<T>(), batch, steps, source, d, c});
      if (v.requires_grad()) kernels::sum_rows<T>(query.device, {dv.as<T>(), grad(v).as<T>(), batch, d, d});
    });
  });
  return y;
}

Values naive(const Values& q, const Values& keys, const Values* v, const Values& values, const Values& lengths,
             size_t steps, size_t source, size_t d, size_t c) {
  Values y;
  for (size_t b = 0; b < lengths.size(); ++b)
    for (size_t t = 0; t < steps; ++t) {
      Values w;
      double total = 0;
      for (size_t s = 0; s < static_cast<size_t>(lengths[b]); ++s) {
        double score = 0;
        for (size_t i = 0; i < d; ++i) {
          const double x = q[(b * steps + t) * d + i], k = keys[(b * source + s) * d + i];
          score += v ? (*v)[i] * std::tanh(x + k) : x * k;
        }
        w.push_back(std::exp(score));
        total += w.back();
      }
      for (size_t j = 0; j < c; ++j) {
        double sum = 0;
        for (size_t s = 0; s < w.size(); ++s) sum += w[s] / total * values[(b * source + s) * c + j];
        y.push_back(sum);
      }
    }
  return y;
}

const bool registered =
    install<Device::cpu>(kernels::attention<float>, attention_cpu<float>) &&
    install<Device::cpu>(kernels::attention<double>, attention_cpu<double>) &&
    install<Device::cpu>(kernels::attention_grad<float>, attention_grad_cpu<float>) &&
    install<Device::cpu>(kernels::attention_grad<double>, attention_grad_cpu<double>) &&
    register_op(
        {"attention",
         "dot-product attention over true lengths",
         {{"[4,3,5] over 6",
           {SampleInput::reals({4, 3, 5}), SampleInput::reals({4, 6, 5}), SampleInput::reals({4, 6, 2}),
            SampleInput::ids({4}, 7)},
           [](std::span<const Tensor> in) { return attention(in[0], in[1], in[2], in[3]); },
           [](const std::vector<Values>& in) { return naive(in[0], in[1], nullptr, in[2], in[3], 3, 6, 5, 2); }}}}) &&
    register_op(
        {"additive_attention",
         "one step of additive attention over true lengths",
         {{"[4,5] over 6",
           {SampleInput::reals({4, 5}), SampleInput::reals({4, 6, 5}), SampleInput::reals({5}),
            SampleInput::reals({4, 6, 2}), SampleInput::ids({4}, 7)},
           [](std::span<const Tensor> in) { return additive_attention(in[0], in[1], in[2], in[3], in[4]); },
           [](const std::vector<Values>& in) { return naive(in[0], in[1], &in[2], in[3], in[4], 1, 6, 5, 2); }}}});

}  // namespace

Tensor attention(const Tensor& query, const Tensor& keys, const Tensor& values, const Tensor& lengths,
                 Tensor* weights) {
  if (query.shape.rank() != 3) refuse("attention: query is {}; expected [B,T,D]", query.shape.str());
  return attend("attention", query, keys, {}, values, lengths, weights);
}

Tensor additive_attention(const Tensor& query, const Tensor& keys, const Tensor& v, const Tensor& values,
                          const Tensor& lengths, Tensor* weights) {
  if (query.shape.rank() != 2 || !(v.shape == Shape{query.shape[1]}))
    refuse("additive_attention: query {} with v {}; expected [B,D] and [D]", query.shape.str(), v.shape.str());
  const Tensor y = attend("additive_attention", reshape(query, {query.shape[0], 1, query.shape[1]}), keys, v, values,
                          lengths, weights);
  if (weights) *weights = reshape(*weights, {weights->shape[0], weights->shape[2]});
  return reshape(y, {y.shape[0], y.shape[2]});
}

}  // namespace seqgrad

// A block of work is one sentence; products run over its true length only, so padding changes no bit.
#include "engine/ops/attention.h"

#include <algorithm>

#include "engine/core/expect.h"
#include "engine/core/op_registry.h"
#include "engine/core/thread_pool.h"
#include "engine/device/cpu_gemm.h"
#include "engine/ops/cell_kernels.h"
#include "engine/ops/id_range.h"
#include "engine/ops/view.h"
#include "engine/ops/weight_gradient.h"

namespace seqgrad {
namespace {

// C = A·B, or C += A·B. Of one row, a step of a decoder, it is not worth a call of the GEMM.
template <class T>
void multiply(Matrix<const T> a, Matrix<const T> b, Matrix<T> c, bool accumulate) {
  if (a.rows > 1 && (a.cols > 1 || b.transposed)) return cpu_gemm(a, b, c, accumulate);
  if (!accumulate)
    for (int64_t i = 0; i < c.rows; ++i) std::fill_n(c.at(i, 0), c.cols, T{0});
  if (b.transposed) return cell_kernels<T>().add_dots(a.data, {b.data, c.cols, b.ld}, a.cols, c.data);
  const int64_t together = a.transposed ? 1 : a.cols;  // numbers of A that lie side by side
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t k = 0; k < a.cols; k += together)
      cell_kernels<T>().add_rows(a.at(i, k), {b.at(k, 0), together, b.ld}, c.cols, c.at(i, 0));
}

template <class T>
void attention_cpu(const kernels::Attention<T>& k) {
  const int64_t d = k.key_width, c = k.value_width, s = k.source;
  const CellKernels<T>& cells = cell_kernels<T>();
  parallel_blocks(k.batch, [&](int64_t b) {
    const int64_t from = k.sentence(b), n = k.lengths[from];
    T *a = k.weights + b * k.steps * s, *context = k.context + b * k.steps * c;
    for (int64_t t = 0; t < k.steps; ++t) std::fill_n(a + t * s + n, s - n, T{0});
    if (n == 0) return void(std::fill_n(context, k.steps * c, T{0}));
    const T *q = k.query + b * k.steps * d, *keys = k.keys + from * s * d;
    const Matrix<T> weights{a, k.steps, n, s};
    if (k.v)
      cells.additive_scores(q, {keys, n, d}, k.v, d, a);
    else
      multiply<T>(Matrix{q, k.steps, d}, Matrix{keys, n, d}.t(), weights, false);
    for (int64_t t = 0; t < k.steps; ++t) cells.softmax(a + t * s, n);
    multiply<T>(weights, Matrix{k.values + from * s * c, n, c}, Matrix{context, k.steps, c}, false);
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
    const Matrix dcontext{dc, k.steps, c};
    const Matrix<T> dscores{ds, k.steps, n, s};
    if (k.dvalues) multiply<T>(Matrix{a, k.steps, n, s}.t(), dcontext, Matrix{k.dvalues + b * s * c, n, c}, true);
    multiply<T>(dcontext, Matrix{k.values + b * s * c, n, c}.t(), dscores, false);
    for (int64_t t = 0; t < k.steps; ++t) {
      T dot = 0;
      for (int64_t i = 0; i < n; ++i) dot += a[t * s + i] * ds[t * s + i];
      for (int64_t i = 0; i < n; ++i) ds[t * s + i] = a[t * s + i] * (ds[t * s + i] - dot);
    }
    T *dq = k.dquery ? k.dquery + b * k.steps * d : nullptr, *dk = k.dkeys ? k.dkeys + b * s * d : nullptr;
    if (k.v) return cell_kernels<T>().additive_scores_grad(q, {keys, n, d}, k.v, d, ds, dq, dk, k.dv + b * d);
    if (dq) multiply<T>(dscores, Matrix{keys, n, d}, Matrix{dq, k.steps, d}, true);
    if (dk) multiply<T>(dscores.t(), Matrix{q, k.steps, d}, Matrix{dk, n, d}, true);
  });
}

// Both kinds: query [B,T,D] (T = 1 and v for additive); the result is [B,T,C].
Tensor attend(const char* op, const Tensor& query, const Tensor& keys, const Tensor& v, const Tensor& values,
              const Tensor& lengths, const Tensor& source_rows, Tensor* weights) {
  const int64_t batch = query.shape[0], steps = query.shape[1], source = keys.shape[1], d = keys.shape[2],
                c = values.shape[2];
  check_lengths(op, "lengths", lengths, source);
  if (source_rows.defined())
    if (const auto bad = first_outside(source_rows, 0, keys.shape[0] - 1))
      refuse("{}: source_rows[{}]={} is no sentence of {}", op, bad->at, bad->value, keys.shape[0]);
  Tensor y = empty({batch, steps, c}, query.dtype, query.device);
  const Tensor a = empty({batch, steps, source}, query.dtype, query.device);
  dispatch(query.dtype, [&]<class T> {
    kernels::attention<T>(query.device,
                          {query.as<T>(), keys.as<T>(), v.as_or_null<T>(), values.as<T>(), lengths.as<int32_t>(),
                           source_rows.as_or_null<int32_t>(), a.as<T>(), y.as<T>(), batch, steps, source, d, c});
  });
  if (weights) *weights = a;
  const std::initializer_list<Tensor> inputs = {query, keys, v, values};
  if (source_rows.defined()) {
    Tape::current().record_not_differentiable(y, inputs, op);
    return y;
  }
  Tape::current().record(y, {.inputs = inputs, .saves = inputs}, [=](const Tensor& dy) {
    dispatch(query.dtype, [&]<class T> {
      // The additive form adds to all three at once; where one is not wanted, scratch takes it.
      const auto target = [&](const Tensor& x) -> T* {
        if (x.requires_grad()) return grad(x).template as<T>();
        return v.defined() ? zeros(x.shape, x.dtype, x.device).template as<T>() : nullptr;
      };
      const Tensor dv = v.defined() ? zeros({batch, d}, query.dtype, query.device) : Tensor{};
      kernels::attention_grad<T>(
          query.device,
          {query.as<T>(), keys.as<T>(), v.as_or_null<T>(), values.as<T>(), a.as<T>(), dy.as<T>(), lengths.as<int32_t>(),
           target(query), target(keys), values.requires_grad() ? grad(values).as<T>() : nullptr, dv.as_or_null<T>(),
           empty({batch, steps, source}, query.dtype, query.device).as<T>(), batch, steps, source, d, c});
      if (v.defined()) add_bias_gradient<T>(v, as_matrix<T>(dv));
    });
  });
  return y;
}

const bool registered = install<Device::cpu>(kernels::attention<float>, attention_cpu<float>) &&
                        install<Device::cpu>(kernels::attention<double>, attention_cpu<double>) &&
                        install<Device::cpu>(kernels::attention_grad<float>, attention_grad_cpu<float>) &&
                        install<Device::cpu>(kernels::attention_grad<double>, attention_grad_cpu<double>) &&
                        register_op({"attention", "dot-product attention over true lengths"}) &&
                        register_op({"additive_attention", "one step of additive attention over true lengths"});

}  // namespace

Tensor attention(const Tensor& query, const Tensor& keys, const Tensor& values, const Tensor& lengths, Tensor* weights,
                 const Tensor& source_rows) {
  if (source_rows.defined())
    expect("attention", {{"query", query, "[B,T,D]"},
                         {"keys", keys, "[N,S,D]"},
                         {"values", values, "[N,S,C]"},
                         {"lengths", lengths, "[N] i32"},
                         {"source_rows", source_rows, "[B] i32"}});
  else
    expect("attention", {{"query", query, "[B,T,D]"},
                         {"keys", keys, "[B,S,D]"},
                         {"values", values, "[B,S,C]"},
                         {"lengths", lengths, "[B] i32"}});
  return attend("attention", query, keys, {}, values, lengths, source_rows, weights);
}

Tensor additive_attention(const Tensor& query, const Tensor& keys, const Tensor& v, const Tensor& values,
                          const Tensor& lengths, Tensor* weights, const Tensor& source_rows) {
  if (source_rows.defined())
    expect("additive_attention", {{"query", query, "[B,D]"},
                                  {"keys", keys, "[N,S,D]"},
                                  {"v", v, "[D]"},
                                  {"values", values, "[N,S,C]"},
                                  {"lengths", lengths, "[N] i32"},
                                  {"source_rows", source_rows, "[B] i32"}});
  else
    expect("additive_attention", {{"query", query, "[B,D]"},
                                  {"keys", keys, "[B,S,D]"},
                                  {"v", v, "[D]"},
                                  {"values", values, "[B,S,C]"},
                                  {"lengths", lengths, "[B] i32"}});
  const Tensor y = attend("additive_attention", reshape(query, {query.shape[0], 1, query.shape[1]}), keys, v, values,
                          lengths, source_rows, weights);
  if (weights) *weights = reshape(*weights, {weights->shape[0], weights->shape[2]});
  return reshape(y, {y.shape[0], y.shape[2]});
}

}  // namespace seqgrad

// The op, and its kernels on a CPU: a thread takes a fixed block of sentences through all time steps; products over the
// source run over its true length, so padding changes no bit of a sentence.
#include "engine/ops/attention_gru.h"

#include <algorithm>
#include <vector>

#include "engine/core/expect.h"
#include "engine/core/op_registry.h"
#include "engine/core/thread_pool.h"
#include "engine/device/cpu_gemm.h"
#include "engine/ops/cell_rows.h"
#include "engine/ops/id_range.h"
#include "engine/ops/view.h"
#include "engine/ops/weight_gradient.h"

namespace seqgrad {
namespace {

// f(begin, end, steps that any of these sentences has), in parallel.
template <class F>
void each_block(const kernels::AttentionGruSizes& size, const int32_t* lengths, const F& f) {
  const int64_t height = sentences_at_once(size.hidden);
  parallel_blocks((size.batch + height - 1) / height, [&](int64_t i) {
    const int64_t begin = i * height, end = std::min(begin + height, size.batch);
    f(begin, end, static_cast<int64_t>(*std::max_element(lengths + begin, lengths + end)));
  });
}

template <class T>
void attention_gru_cpu(const kernels::AttentionGru<T>& k) {
  const kernels::AttentionGruSizes& size = k.size;
  const int64_t h = size.hidden, d = size.key_width, c = size.value_width, joined = size.joined(),
                gate = size.batch * size.steps * h;
  each_block(size, k.lengths, [&](int64_t begin, int64_t end, int64_t steps) {
    const int64_t rows = end - begin;
    thread_local std::vector<T> memory;  // state [rows,H], products [rows,3H+D], gx [3H], discarded gates [4,H]
    memory.assign(static_cast<size_t>(rows * (h + joined) + 7 * h), T{0});
    T *state = memory.data(), *products = state + rows * h, *gx = products + rows * joined, *spare = gx + 3 * h;
    std::copy_n(k.h0 + begin * h, rows * h, state);
    for (int64_t t = 0; t < size.steps; ++t) {
      if (t < steps) cpu_gemm(Matrix{state, rows, h}, k.w, Matrix{products, rows, joined}, false);
      for (int64_t b = begin; b < end; ++b) {
        const int64_t row = b * size.steps + t, n = k.source_lengths[b];
        T *s = state + (b - begin) * h, *gh = products + (b - begin) * joined, *q = gh + 3 * h,
          *y = k.y + row * size.out(), *a = k.weights + row * size.source;
        const int64_t attended = t < k.lengths[b] ? n : 0;
        std::fill_n(a + attended, size.source - attended, T{0});
        if (t >= k.lengths[b]) {
          std::fill_n(y, size.out(), T{0});
          if (k.before) std::fill_n(k.before + row * h, h, T{0}), std::fill_n(k.query + row * d, d, T{0});
          continue;
        }
        for (int64_t i = 0; i < d; ++i) q[i] += k.b_query[i];
        for (int64_t i = 0; i < n; ++i) a[i] = additive_score(q, k.keys + (b * size.source + i) * d, k.v, d);
        softmax_row(a, n);
        std::copy_n(k.gx + row * 3 * h, 3 * h, gx);
        for (int64_t i = 0; i < n; ++i) add_scaled(a[i], k.projected + (b * size.source + i) * 3 * h, gx, 3 * h);
        if (k.before) std::copy_n(s, h, k.before + row * h), std::copy_n(q, d, k.query + row * d);
        T* g = k.gates ? k.gates + row * h : spare;
        const int64_t stride = k.gates ? gate : h;
        gru_cell(gx, gh, k.b_hh, s, s, g, g + stride, g + 2 * stride, g + 3 * stride, h);
        std::copy_n(s, h, y);
      }
    }
    for (int64_t b = begin; b < end; ++b)
      cpu_gemm(Matrix{k.weights + b * size.steps * size.source, k.lengths[b], k.source_lengths[b], size.source},
               Matrix{k.values + b * size.source * c, k.source_lengths[b], c},
               Matrix{k.y + b * size.steps * size.out() + h, k.lengths[b], c, size.out()}, false);
  });
}

template <class T>
void attention_gru_grad_cpu(const kernels::AttentionGruGrad<T>& k) {
  const kernels::AttentionGruSizes& size = k.size;
  const int64_t h = size.hidden, d = size.key_width, c = size.value_width, joined = size.joined(),
                gate = size.batch * size.steps * h, source = size.source;
  each_block(size, k.lengths, [&](int64_t begin, int64_t end, int64_t steps) {
    const int64_t rows = end - begin;
    thread_local std::vector<T> memory;  // dh [rows,H]
    memory.assign(static_cast<size_t>(rows * h), T{0});
    T* dh = memory.data();
    for (int64_t b = begin; b < end; ++b)  // of the weights, by the contexts of y
      cpu_gemm(Matrix{k.dy + b * size.steps * size.out() + h, k.lengths[b], c, size.out()},
               Matrix{k.values + b * source * c, k.source_lengths[b], c}.t(),
               Matrix{k.dscores + b * size.steps * source, k.lengths[b], k.source_lengths[b], source}, false);
    for (int64_t t = size.steps - 1; t >= 0; --t) {
      for (int64_t b = begin; b < end; ++b) {
        const int64_t row = b * size.steps + t, n = k.source_lengths[b];
        T *dgx = k.dgx + row * 3 * h, *dproduct = k.dproducts + row * joined, *dq = dproduct + 3 * h;
        if (t >= k.lengths[b]) {
          std::fill_n(dgx, 3 * h, T{0});
          std::fill_n(dproduct, joined, T{0});
          continue;
        }
        const T *g = k.gates + row * h, *a = k.weights + row * source, *q = k.query + row * d;
        gru_cell_grad(g, g + gate, g + 2 * gate, g + 3 * gate, k.before + row * h, dh + (b - begin) * h,
                      k.dy + row * size.out(), dgx, dproduct, h);
        T *ds = k.dscores + row * source, sum = 0;
        for (int64_t i = 0; i < n; ++i) {
          ds[i] += dot(dgx, k.projected + (b * source + i) * 3 * h, 3 * h);
          sum += a[i] * ds[i];
        }
        std::fill_n(dq, d, T{0});
        for (int64_t i = 0; i < n; ++i) {
          const int64_t at = (b * source + i) * d;
          additive_score_grad(q, k.keys + at, k.v, a[i] * (ds[i] - sum), dq, k.dkeys + at, k.dv + b * d, d);
        }
      }
      if (t < steps && (t > 0 || k.dh0))
        cpu_gemm(Matrix{k.dproducts + (begin * size.steps + t) * joined, rows, joined, size.steps * joined}, k.wt,
                 Matrix{dh, rows, h}, true);
    }
    if (k.dh0)
      for (int64_t i = 0; i < rows * h; ++i) k.dh0[begin * h + i] += dh[i];
    for (int64_t b = begin; b < end; ++b) {
      const int64_t n = k.source_lengths[b], length = k.lengths[b];
      const Matrix<const T> at = Matrix{k.weights + b * size.steps * source, length, n, source}.t();
      T* dp = k.dprojected + b * source * 3 * h;
      cpu_gemm(at, Matrix{k.dgx + b * size.steps * 3 * h, length, 3 * h}, Matrix{dp, n, 3 * h}, false);
      std::fill_n(dp + n * 3 * h, (source - n) * 3 * h, T{0});
      if (k.dvalues)
        cpu_gemm(at, Matrix{k.dy + b * size.steps * size.out() + h, length, c, size.out()},
                 Matrix{k.dvalues + b * source * c, n, c}, true);
    }
  });
}

void check(const Tensor& x, const AttentiveCell& cell, const Tensor& h0, const AttendedSource& source,
           const Tensor& lengths) {
  expect("attention_gru", {{"x", x, "[B,T,E]"},
                           {"w_ih", cell.w_ih, "[E+C,3H]"},
                           {"b_ih", cell.b_ih, "[3H]"},
                           {"w_hh", cell.w_hh, "[H,3H]"},
                           {"b_hh", cell.b_hh, "[3H]"},
                           {"w_query", cell.w_query, "[H,D]"},
                           {"b_query", cell.b_query, "[D]"},
                           {"v", cell.v, "[D]"},
                           {"h0", h0, "[B,H]"},
                           {"keys", source.keys, "[B,S,D]"},
                           {"values", source.values, "[B,S,C]"},
                           {"source.lengths", source.lengths, "[B] i32"},
                           {"lengths", lengths, "[B] i32"}});
  check_lengths("attention_gru", "lengths", lengths, x.shape[1]);
  check_lengths("attention_gru", "source.lengths", source.lengths, source.keys.shape[1]);
}

// [W_hh W_q]
template <class T>
Tensor side_by_side(const Tensor& a /*[H,A]*/, const Tensor& b /*[H,B]*/) {
  const int64_t rows = a.shape[0], m = a.shape[1], n = b.shape[1];
  const Tensor y = empty({rows, m + n}, a.dtype, a.device);
  kernels::move_strided<T>(a.device, {a.as<T>(), y.as<T>(), rows, m, m, m + n, false});
  kernels::move_strided<T>(a.device, {b.as<T>(), y.as<T>() + m, rows, n, n, m + n, false});
  return y;
}

template <class T>
bool install_kernels() {
  return install<Device::cpu>(kernels::attention_gru<T>, attention_gru_cpu<T>) &&
         install<Device::cpu>(kernels::attention_gru_grad<T>, attention_gru_grad_cpu<T>);
}

const bool registered = install_kernels<float>() && install_kernels<double>() &&
                        register_op({"attention_gru", "a GRU layer that attends to a source before each step"});

}  // namespace

Tensor attention_gru(const Tensor& x, const AttentiveCell& cell, const Tensor& h0, const AttendedSource& source,
                     const Tensor& lengths) {
  check(x, cell, h0, source, lengths);
  const DType dtype = x.dtype;
  const Device device = x.device;
  const int64_t batch = x.shape[0], steps = x.shape[1], e = x.shape[2], h = cell.w_hh.shape[0],
                s = source.keys.shape[1], d = source.keys.shape[2], c = source.values.shape[2], rows = batch * steps;
  const kernels::AttentionGruSizes size{batch, steps, s, h, d, c};
  const std::initializer_list<Tensor> inputs = {x,         cell.w_ih,    cell.b_ih,    cell.w_hh,
                                                cell.b_hh, cell.w_query, cell.b_query, cell.v,
                                                h0,        source.keys,  source.values};
  const bool recorded = Tape::current().wants_grad(inputs);
  const auto kept = [&](Shape shape) { return recorded ? empty(shape, dtype, device) : Tensor{}; };
  Tensor y = empty({batch, steps, size.out()}, dtype, device);
  const Tensor weights = empty({batch, steps, s}, dtype, device), before = kept({batch, steps, h}),
               query = kept({batch, steps, d}), gates = kept({4, batch, steps, h}),
               gx = empty({batch, steps, 3 * h}, dtype, device), projected = empty({batch, s, 3 * h}, dtype, device);
  Tensor w;
  dispatch(dtype, [&]<class T> {
    w = side_by_side<T>(cell.w_hh, cell.w_query);
    const Matrix<T> w_ih = as_matrix<T>(cell.w_ih);
    kernels::gemm<T>(device, {.a = as_matrix<T>(x),
                              .b = w_ih.block(0, 0, e, 3 * h),
                              .c = as_matrix<T>(gx),
                              .accumulate = false,
                              .bias = cell.b_ih.as<T>()});
    kernels::gemm<T>(device, {as_matrix<T>(source.values), w_ih.block(e, 0, c, 3 * h), as_matrix<T>(projected), false});
    kernels::attention_gru<T>(
        device, {size, source.lengths.as<int32_t>(), lengths.as<int32_t>(), gx.as<T>(),
                 pack<T>(device, as_matrix<T>(w)), cell.b_hh.as<T>(), cell.b_query.as<T>(), cell.v.as<T>(),
                 source.keys.as<T>(), source.values.as<T>(), projected.as<T>(), h0.as<T>(), y.as<T>(), weights.as<T>(),
                 before.as_or_null<T>(), query.as_or_null<T>(), gates.as_or_null<T>()});
  });
  Tape::current().record(y, {.inputs = inputs, .saves = inputs}, [=](const Tensor& dy) {
    dispatch(dtype, [&]<class T> {
      const Tensor dgx = empty({rows, 3 * h}, dtype, device), dproducts = empty({rows, size.joined()}, dtype, device),
                   dprojected = empty({batch * s, 3 * h}, dtype, device), dv = zeros({batch, d}, dtype, device);
      const Tensor &keys = source.keys, &values = source.values;
      const auto target = [](const Tensor& t) { return t.requires_grad() ? grad(t).as<T>() : nullptr; };
      kernels::attention_gru_grad<T>(
          device, {size,
                   source.lengths.as<int32_t>(),
                   lengths.as<int32_t>(),
                   pack_for_few_rows<T>(device, as_matrix<T>(w).t()),
                   cell.v.as<T>(),
                   keys.as<T>(),
                   values.as<T>(),
                   projected.as<T>(),
                   weights.as<T>(),
                   before.as<T>(),
                   query.as<T>(),
                   gates.as<T>(),
                   dy.as<T>(),
                   dgx.as<T>(),
                   dproducts.as<T>(),
                   dprojected.as<T>(),
                   keys.requires_grad() ? grad(keys).as<T>() : zeros(keys.shape, dtype, device).template as<T>(),
                   target(values),
                   target(h0),
                   dv.as<T>(),
                   empty({batch, steps, s}, dtype, device).template as<T>()});
      const Matrix<const T> hidden = as_matrix<T>(before), gx_grad = as_matrix<T>(dgx),
                            projected_grad = as_matrix<T>(dprojected), products = as_matrix<T>(dproducts),
                            gates_grad = products.block(0, 0, rows, 3 * h),
                            query_grad = products.block(0, 3 * h, rows, d);
      add_bias_gradient<T>(cell.v, as_matrix<T>(dv));
      add_weight_gradient<T>(cell.w_hh, hidden, gates_grad);
      add_weight_gradient<T>(cell.w_query, hidden, query_grad);
      add_bias_gradient<T>(cell.b_hh, gates_grad);
      add_bias_gradient<T>(cell.b_query, query_grad);
      add_weight_gradient<T>(cell.w_ih, as_matrix<T>(x), gx_grad);
      add_weight_gradient<T>(cell.w_ih, as_matrix<T>(values), projected_grad, Span::sequence, e);
      add_bias_gradient<T>(cell.b_ih, gx_grad);
      const Matrix<const T> wt = as_matrix<T>(cell.w_ih).t();  // [3H,E+C]
      const auto add_input_gradient = [&](const Tensor& to, const Matrix<const T>& dy_of, int64_t first,
                                          int64_t width) {
        if (!to.requires_grad()) return;
        const auto [d_to, accumulate] = grad_target(to);
        kernels::gemm<T>(device, {dy_of, wt.block(0, first, 3 * h, width), as_matrix<T>(d_to), accumulate});
      };
      add_input_gradient(x, gx_grad, 0, e);
      add_input_gradient(values, projected_grad, e, c);
    });
  });
  return y;
}

}  // namespace seqgrad

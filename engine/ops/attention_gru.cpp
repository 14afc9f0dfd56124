// The op, and its kernels on a CPU: a thread takes a fixed block of sentences through all time steps; products over the
// source run over its true length, so padding changes no bit of a sentence.
#include "engine/ops/attention_gru.h"

#include <algorithm>

#include "engine/core/expect.h"
#include "engine/core/op_registry.h"
#include "engine/core/scratch.h"
#include "engine/device/cpu_gemm.h"
#include "engine/ops/cell_kernels.h"
#include "engine/ops/id_range.h"
#include "engine/ops/sentence_blocks.h"
#include "engine/ops/view.h"
#include "engine/ops/weight_gradient.h"

namespace seqgrad {
namespace {

// The memory of one block of sentences.
template <class T>
struct StepRows {
  T *state /*[rows,H]*/, *gates_hh /*[rows,3H+D], h·[W_hh W_q]*/, *gx /*[3H]*/, *unsaved /*gates [4,H] nobody reads*/;

  static int64_t width(const kernels::AttentionGruSizes& size) { return 8 * size.hidden + size.fused_width(); }
  StepRows(T* memory, const kernels::AttentionGruSizes& size, int64_t rows)
      : state(memory),
        gates_hh(state + rows * size.hidden),
        gx(gates_hh + rows * size.fused_width()),
        unsaved(gx + 3 * size.hidden) {}
};

// The row-th sentence of a block, b, at its step t, which is a token.
struct Step {
  int64_t row, b, t, token;
};

// Scores of a block's keys. All steps share the exponentials of those.
template <class T>
class KeyScores {
 public:
  KeyScores(const kernels::AttentionGruSizes& size, const T* keys, const T* v, const int32_t* source_lengths,
            const SentenceBlock& block)
      : size_(size),
        keys_(keys),
        v_(v),
        source_lengths_(source_lengths),
        equery_(scratch_.take<T>(size.key_width)),
        ekeys_(scratch_.take<const T*>(block.rows)) {
    for (int64_t row = 0; row < block.rows; ++row) {
      const VectorRows<const T> of = keys_of(block.sentences[row]);
      T* const e = scratch_.take<T>(of.count * of.ld);
      ekeys_[row] = cells_.double_exponentials(of.data, e, of.count * of.ld) ? e : nullptr;
    }
  }

  void compute(const Step& at, const T* query /*[D]*/, T* scores /*[S]*/) {
    if (const VectorRows<const T> ekeys = exponentials(at, query); ekeys.data)
      cells_.scores_of_exponentials(equery_, ekeys, v_, size_.key_width, scores);
    else
      cells_.additive_scores(query, keys_of(at.b), v_, size_.key_width, scores);
  }
  // Adds to the gradients of the query and v [D], and to those of the sentence's keys [S,D].
  void differentiate(const Step& at, const T* query, const T* dscores, T* dquery, T* dkeys, T* dv) {
    if (const VectorRows<const T> ekeys = exponentials(at, query); ekeys.data)
      cells_.scores_of_exponentials_grad(equery_, ekeys, v_, size_.key_width, dscores, dquery, dkeys, dv);
    else
      cells_.additive_scores_grad(query, keys_of(at.b), v_, size_.key_width, dscores, dquery, dkeys, dv);
  }

 private:
  VectorRows<const T> keys_of(int64_t b) const {
    return {keys_ + b * size_.source * size_.key_width, source_lengths_[b], size_.key_width};
  }
  // Those of the sentence's keys, when there are those of the query, too; else none.
  VectorRows<const T> exponentials(const Step& at, const T* query) {
    const bool there = ekeys_[at.row] && cells_.double_exponentials(query, equery_, size_.key_width);
    return {there ? ekeys_[at.row] : nullptr, source_lengths_[at.b], size_.key_width};
  }

  const CellKernels<T>& cells_ = cell_kernels<T>();
  const kernels::AttentionGruSizes& size_;
  const T *keys_, *v_;
  const int32_t* source_lengths_;
  Scratch scratch_;
  T* equery_;
  const T** ekeys_;
};

template <class T>
void clear_padding_row(const kernels::AttentionGru<T>& k, int64_t row) {
  std::fill_n(k.y + row * k.size.out(), k.size.out(), T{0});
  std::fill_n(k.weights + row * k.size.source, k.size.source, T{0});
}

// Attends, and moves the sentence's state on.
template <class T>
void attend_and_step(const kernels::AttentionGru<T>& k, const Step& at, const StepRows<T>& r, KeyScores<T>& scores) {
  const kernels::AttentionGruSizes& size = k.size;
  const CellKernels<T>& cells = cell_kernels<T>();
  const int64_t h = size.hidden, d = size.key_width, n = k.source_lengths[at.b], row = at.b * size.steps + at.t;
  T *s = r.state + at.row * h, *gates_hh = r.gates_hh + at.row * size.fused_width(), *query = gates_hh + 3 * h,
    *a = k.weights + row * size.source;
  for (int64_t i = 0; i < d; ++i) query[i] += k.b_query[i];
  scores.compute(at, query, a);
  cells.softmax(a, n);
  std::fill_n(a + n, size.source - n, T{0});
  std::copy_n(k.gx + row * 3 * h, 3 * h, r.gx);
  cells.add_rows(a, {k.projected + at.b * size.source * 3 * h, n, 3 * h}, 3 * h, r.gx);
  if (k.h_prev) std::copy_n(s, h, k.h_prev + at.token * h), std::copy_n(query, d, k.query + at.token * d);
  cells.gru_cell(r.gx, gates_hh, k.b_hh, s, s, k.saved_gates ? k.saved_gates + 4 * at.token * h : r.unsaved, h);
  std::copy_n(s, h, k.y + row * size.out());
}

template <class T>
void attention_gru_cpu(const kernels::AttentionGru<T>& k) {
  const kernels::AttentionGruSizes& size = k.size;
  const int64_t h = size.hidden, c = size.value_width, fused = size.fused_width();
  T* const memory = Tape::current().scratch<T>(size.batch * StepRows<T>::width(size), Device::cpu);
  SentenceBlocks(1, size.batch, h, k.lengths).for_each([&](const SentenceBlock& block) {
    const int64_t rows = block.rows;
    const StepRows<T> r(memory + block.first_row * StepRows<T>::width(size), size, rows);
    KeyScores<T> scores(size, k.keys, k.v, k.source_lengths, block);
    for (int64_t i = 0; i < rows; ++i) std::copy_n(k.h0 + block.sentences[i] * h, h, r.state + i * h);
    for (int64_t t = 0, token = block.first_token; t < size.steps; ++t) {
      const int64_t live = block.live(t);
      if (live > 0) cpu_gemm(Matrix{r.state, live, h}, k.w, Matrix{r.gates_hh, live, fused}, false);
      for (int64_t i = 0; i < rows; ++i)
        if (const int64_t b = block.sentences[i]; i < live)
          attend_and_step(k, {i, b, t, token + i}, r, scores);
        else
          clear_padding_row(k, b * size.steps + t);
      token += live;
    }
    for (int64_t i = 0; i < rows; ++i) {  // contexts of all steps
      const int64_t b = block.sentences[i];
      cpu_gemm(Matrix{k.weights + b * size.steps * size.source, k.lengths[b], k.source_lengths[b], size.source},
               Matrix{k.values + b * size.source * c, k.source_lengths[b], c},
               Matrix{k.y + b * size.steps * size.out() + h, k.lengths[b], c, size.out()}, false);
    }
  });
}

// Back: dh [H], of the state after the step, becomes what of it passes the gate z. dscores begins with the gradients of
// weights by the contexts of y.
template <class T>
void attend_and_step_grad(const kernels::AttentionGruGrad<T>& k, const Step& at, T* dh, KeyScores<T>& scores) {
  const kernels::AttentionGruSizes& size = k.size;
  const CellKernels<T>& cells = cell_kernels<T>();
  const int64_t h = size.hidden, d = size.key_width, n = k.source_lengths[at.b], row = at.b * size.steps + at.t;
  T *dgx = k.dgx + row * 3 * h, *dgates_hh = k.dgates_hh + at.token * size.fused_width(), *dquery = dgates_hh + 3 * h;
  cells.gru_cell_grad(k.saved_gates + 4 * at.token * h, k.h_prev + at.token * h, dh, k.dy + row * size.out(), dgx,
                      dgates_hh, h);
  const T* const a = k.weights + row * size.source;
  T *dscores = k.dscores + row * size.source, sum = 0;
  cells.add_dots(dgx, {k.projected + at.b * size.source * 3 * h, n, 3 * h}, 3 * h, dscores);
  for (int64_t i = 0; i < n; ++i) sum += a[i] * dscores[i];
  for (int64_t i = 0; i < n; ++i) dscores[i] = a[i] * (dscores[i] - sum);
  std::fill_n(dquery, d, T{0});
  scores.differentiate(at, k.query + at.token * d, dscores, dquery, k.dkeys + at.b * size.source * d, k.dv + at.b * d);
}

// Sentence b's gradients of the weights by the contexts of y.
template <class T>
void weights_grad(const kernels::AttentionGruGrad<T>& k, int64_t b) {
  const kernels::AttentionGruSizes& size = k.size;
  const int64_t c = size.value_width, source = size.source;
  cpu_gemm(Matrix{k.dy + b * size.steps * size.out() + size.hidden, k.lengths[b], c, size.out()},
           Matrix{k.values + b * source * c, k.source_lengths[b], c}.t(),
           Matrix{k.dscores + b * size.steps * source, k.lengths[b], k.source_lengths[b], source}, false);
}

// Sentence b's gradients of projected values, by all steps, and of values, by the contexts of y.
template <class T>
void values_grad(const kernels::AttentionGruGrad<T>& k, int64_t b) {
  const kernels::AttentionGruSizes& size = k.size;
  const int64_t h = size.hidden, c = size.value_width, source = size.source, n = k.source_lengths[b],
                length = k.lengths[b];
  const Matrix<const T> at = Matrix{k.weights + b * size.steps * source, length, n, source}.t();
  T* dprojected = k.dprojected + b * source * 3 * h;
  cpu_gemm(at, Matrix{k.dgx + b * size.steps * 3 * h, length, 3 * h}, Matrix{dprojected, n, 3 * h}, false);
  std::fill_n(dprojected + n * 3 * h, (source - n) * 3 * h, T{0});
  if (k.dvalues)
    cpu_gemm(at, Matrix{k.dy + b * size.steps * size.out() + h, length, c, size.out()},
             Matrix{k.dvalues + b * source * c, n, c}, true);
}

template <class T>
void attention_gru_grad_cpu(const kernels::AttentionGruGrad<T>& k) {
  const kernels::AttentionGruSizes& size = k.size;
  const int64_t h = size.hidden, fused = size.fused_width();
  T* const memory = Tape::current().scratch<T>(size.batch * h, Device::cpu);  // dh
  SentenceBlocks(1, size.batch, h, k.lengths).for_each([&](const SentenceBlock& block) {
    const int64_t rows = block.rows;
    T* dh = memory + block.first_row * h;
    std::fill_n(dh, rows * h, T{0});
    for (int64_t i = 0; i < rows; ++i) weights_grad(k, block.sentences[i]);
    KeyScores<T> scores(size, k.keys, k.v, k.source_lengths, block);
    int64_t token = block.end_token();
    for (int64_t t = size.steps - 1; t >= 0; --t) {
      const int64_t live = block.live(t);
      token -= live;
      for (int64_t i = 0; i < rows; ++i)
        if (const int64_t b = block.sentences[i]; i < live)
          attend_and_step_grad(k, {i, b, t, token + i}, dh + i * h, scores);
        else
          std::fill_n(k.dgx + (b * size.steps + t) * 3 * h, 3 * h, T{0});
      if (live > 0 && (t > 0 || k.dh0))
        cpu_gemm(Matrix{k.dgates_hh + token * fused, live, fused}, k.wt, Matrix{dh, live, h}, true);
    }
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t b = block.sentences[i];
      for (int64_t j = 0; j < h && k.dh0; ++j) k.dh0[b * h + j] += dh[i * h + j];
      values_grad(k, b);
    }
  });
}

kernels::AttentionGruSizes checked_sizes(const Tensor& x, const AttentiveCell& cell, const Tensor& h0,
                                         const AttendedSource& source, const Tensor& lengths) {
  const Dims dims = expect("attention_gru", {{"x", x, "[B,T,E]"},
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
  check_lengths("attention_gru", "lengths", lengths, dims['T']);
  check_lengths("attention_gru", "source.lengths", source.lengths, dims['S']);
  return {.batch = dims['B'],
          .steps = dims['T'],
          .source = dims['S'],
          .hidden = dims['H'],
          .key_width = dims['D'],
          .value_width = dims['C']};
}

// [W_hh W_q]
Tensor side_by_side(const Tensor& w_hh, const Tensor& w_query) {
  const NoGrad no_grad;  // their gradients are made apart
  return concat(w_hh, w_query);
}

// gx = x·W_x + b_ih and projected = values·W_c, W_x and W_c the rows of W_ih for x and for the context.
template <class T>
void project(const Tensor& x, const AttentiveCell& cell, const Tensor& values, const Tensor& gx,
             const Tensor& projected) {
  const Matrix<T> w_ih = as_matrix<T>(cell.w_ih);
  const int64_t e = x.shape[2];
  kernels::gemm<T>(x.device, {.a = as_matrix<T>(x),
                              .b = w_ih.block(0, 0, e, w_ih.cols),
                              .c = as_matrix<T>(gx),
                              .accumulate = false,
                              .bias = cell.b_ih.as<T>()});
  kernels::gemm<T>(
      x.device, {as_matrix<T>(values), w_ih.block(e, 0, values.shape[2], w_ih.cols), as_matrix<T>(projected), false});
}

// What forward leaves for backward.
struct Saved {
  Tensor weights, h_prev, query, gates, projected, w;
};

template <class T>
void add_parameter_gradients(const kernels::AttentionGruSizes& size, const Tensor& x, const AttentiveCell& cell,
                             const Tensor& values, const Saved& s, const Tensor& dgx, const Tensor& dgates_hh,
                             const Tensor& dprojected) {
  const int64_t rows = s.h_prev.shape[0], h = size.hidden;
  const Matrix<const T> h_prev = as_matrix<T>(s.h_prev), gates = as_matrix<T>(dgates_hh).block(0, 0, rows, 3 * h),
                        query = as_matrix<T>(dgates_hh).block(0, 3 * h, rows, size.key_width);
  add_weight_gradient<T>(cell.w_hh, h_prev, gates);
  add_weight_gradient<T>(cell.w_query, h_prev, query);
  add_bias_gradient<T>(cell.b_hh, gates);
  add_bias_gradient<T>(cell.b_query, query);
  add_weight_gradient<T>(cell.w_ih, as_matrix<T>(x), as_matrix<T>(dgx));
  add_weight_gradient<T>(cell.w_ih, as_matrix<T>(values), as_matrix<T>(dprojected), Span::sequence, x.shape[2]);
  add_bias_gradient<T>(cell.b_ih, as_matrix<T>(dgx));
}

template <class T>
void differentiate(const kernels::AttentionGruSizes& size, const Tensor& x, const AttentiveCell& cell, const Tensor& h0,
                   const AttendedSource& source, const Tensor& lengths, const Saved& s, const Tensor& dy) {
  const DType dtype = x.dtype;
  const Device device = x.device;
  const int64_t rows = size.batch * size.steps, h = size.hidden;
  const Tensor dgx = empty({rows, 3 * h}, dtype, device),
               dgates_hh = empty({s.h_prev.shape[0], size.fused_width()}, dtype, device),
               dprojected = empty({size.batch * size.source, 3 * h}, dtype, device),
               dv = zeros({size.batch, size.key_width}, dtype, device);
  const auto grad_or_null = [](const Tensor& t) { return t.requires_grad() ? grad(t).as<T>() : nullptr; };
  const Tensor dkeys =
      source.keys.requires_grad() ? grad(source.keys) : zeros(source.keys.shape, source.keys.dtype, device);
  kernels::attention_gru_grad<T>(device,
                                 {.size = size,
                                  .source_lengths = source.lengths.as<int32_t>(),
                                  .lengths = lengths.as<int32_t>(),
                                  .wt = pack_for_few_rows<T>(device, as_matrix<T>(s.w).t()),
                                  .v = cell.v.as<T>(),
                                  .keys = source.keys.as<T>(),
                                  .values = source.values.as<T>(),
                                  .projected = s.projected.as<T>(),
                                  .weights = s.weights.as<T>(),
                                  .h_prev = s.h_prev.as<T>(),
                                  .query = s.query.as<T>(),
                                  .saved_gates = s.gates.as<T>(),
                                  .dy = dy.as<T>(),
                                  .dgx = dgx.as<T>(),
                                  .dgates_hh = dgates_hh.as<T>(),
                                  .dprojected = dprojected.as<T>(),
                                  .dkeys = dkeys.as<T>(),
                                  .dvalues = grad_or_null(source.values),
                                  .dh0 = grad_or_null(h0),
                                  .dv = dv.as<T>(),
                                  .dscores = empty({size.batch, size.steps, size.source}, dtype, device).as<T>()});
  add_parameter_gradients<T>(size, x, cell, source.values, s, dgx, dgates_hh, dprojected);
  add_bias_gradient<T>(cell.v, as_matrix<T>(dv));
  const auto add_input_gradient = [&](const Tensor& input, const Tensor& dgates, int64_t first_row) {
    if (!input.requires_grad()) return;
    const auto [to, accumulate] = grad_target(input);
    const Matrix<const T> w = as_matrix<T>(cell.w_ih).block(first_row, 0, input.shape[2], 3 * size.hidden);
    kernels::gemm<T>(device, {as_matrix<T>(dgates), w.t(), as_matrix<T>(to), accumulate});
  };
  add_input_gradient(x, dgx, 0);
  add_input_gradient(source.values, dprojected, x.shape[2]);
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
  const kernels::AttentionGruSizes size = checked_sizes(x, cell, h0, source, lengths);
  const DType dtype = x.dtype;
  const Device device = x.device;
  const int64_t batch = size.batch, steps = size.steps, h = size.hidden, rows = saved_rows(lengths, steps);
  const std::initializer_list<Tensor> inputs = {x,         cell.w_ih,    cell.b_ih,    cell.w_hh,
                                                cell.b_hh, cell.w_query, cell.b_query, cell.v,
                                                h0,        source.keys,  source.values};
  const auto saved = [&, recorded = Tape::current().wants_grad(inputs)](Shape shape) {
    return recorded ? empty(shape, dtype, device) : Tensor{};
  };
  Tensor y = empty({batch, steps, size.out()}, dtype, device);
  const Saved s{.weights = empty({batch, steps, size.source}, dtype, device),
                .h_prev = saved({rows, h}),
                .query = saved({rows, size.key_width}),
                .gates = saved({4, rows, h}),
                .projected = empty({batch, size.source, 3 * h}, dtype, device),
                .w = side_by_side(cell.w_hh, cell.w_query)};
  const Tensor gx = empty({batch, steps, 3 * h}, dtype, device);
  dispatch(dtype, [&]<class T> {
    project<T>(x, cell, source.values, gx, s.projected);
    kernels::attention_gru<T>(device, {.size = size,
                                       .source_lengths = source.lengths.as<int32_t>(),
                                       .lengths = lengths.as<int32_t>(),
                                       .gx = gx.as<T>(),
                                       .w = pack_for_few_rows<T>(device, as_matrix<T>(s.w)),
                                       .b_hh = cell.b_hh.as<T>(),
                                       .b_query = cell.b_query.as<T>(),
                                       .v = cell.v.as<T>(),
                                       .keys = source.keys.as<T>(),
                                       .values = source.values.as<T>(),
                                       .projected = s.projected.as<T>(),
                                       .h0 = h0.as<T>(),
                                       .y = y.as<T>(),
                                       .weights = s.weights.as<T>(),
                                       .h_prev = s.h_prev.as_or_null<T>(),
                                       .query = s.query.as_or_null<T>(),
                                       .saved_gates = s.gates.as_or_null<T>()});
  });
  Tape::current().record(y, {.inputs = inputs, .saves = inputs}, [=](const Tensor& dy) {
    dispatch(dtype, [&]<class T> { differentiate<T>(size, x, cell, h0, source, lengths, s, dy); });
  });
  return y;
}

}  // namespace seqgrad

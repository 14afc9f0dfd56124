// Sentences are independent in the recurrence, so a thread takes a fixed block of them through all time steps of one
// direction.
#include "engine/ops/gru.h"

#include <algorithm>
#include <array>

#include "engine/core/expect.h"
#include "engine/core/op_registry.h"
#include "engine/core/thread_pool.h"
#include "engine/device/cpu_gemm.h"
#include "engine/device/prepared_weights.h"
#include "engine/ops/cell_kernels.h"
#include "engine/ops/id_range.h"
#include "engine/ops/sentence_blocks.h"
#include "engine/ops/write_grads.h"

namespace seqgrad {
namespace {

// The time step that comes i-th of `steps`; those beyond, padding, stay where they are.
int64_t time_of(int64_t i, int64_t steps, bool reverse) { return reverse && i < steps ? steps - 1 - i : i; }

template <class T>
void gru_cpu(const kernels::Gru<T>& k) {
  const kernels::GruSizes& size = k.size;
  const SentenceBlocks blocks(size.directions, size.batch, size.hidden, k.lengths);
  const CellKernels<T>& cells = cell_kernels<T>();
  const int64_t h = size.hidden;
  const int64_t width = k.saved_gates ? 4 * h : 8 * h;  // of a sentence: state, gh [3H], and gates if nobody saves them
  T* const memory = Tape::current().scratch<T>(size.directions * size.batch * width, Device::cpu);
  blocks.for_each([&](const SentenceBlock& block) {
    const auto& from = k.of[block.direction];
    const int64_t rows = block.rows;
    T *state = memory + block.first_row * width, *gh = state + rows * h, *unsaved = gh + 3 * rows * h;
    std::fill_n(state, 4 * rows * h, T{0});
    for (int64_t b = 0; b < rows && from.h0; ++b) std::copy_n(from.h0 + block.sentences[b] * h, h, state + b * h);
    for (int64_t i = 0, token = block.first_token; i < size.steps; ++i) {
      const int64_t t = time_of(i, block.steps(), size.is_reverse(block.direction)), live = block.live(t);
      if (live > 0 && (i > 0 || from.h0)) cpu_gemm(Matrix{state, live, h}, from.w, Matrix{gh, live, 3 * h}, false);
      if (k.h_prev) std::copy_n(state, live * h, k.h_prev + token * h);
      for (int64_t b = 0; b < rows; ++b) {
        const int64_t row = block.sentences[b] * size.steps + t;
        T *s = state + b * h, *y = k.y + (row * size.directions + block.direction) * h;
        if (b >= live) {
          std::fill_n(y, h, T{0});
          continue;
        }
        T* gates = k.saved_gates ? k.saved_gates + 4 * (token + b) * h : unsaved;
        cells.gru_cell(from.gx + 3 * row * h, gh + b * 3 * h, from.b, s, s, gates, h);
        std::copy_n(s, h, y);
      }
      token += live;
    }
  });
}

template <class T>
void gru_grad_cpu(const kernels::GruGrad<T>& k) {
  const kernels::GruSizes& size = k.size;
  const SentenceBlocks blocks(size.directions, size.batch, size.hidden, k.lengths);
  const CellKernels<T>& cells = cell_kernels<T>();
  const int64_t h = size.hidden, all = size.directions * size.batch;
  T* const memory = Tape::current().scratch<T>(4 * all * h, Device::cpu);  // dh, and dgx [3H] where it is not wanted
  blocks.for_each([&](const SentenceBlock& block) {
    const auto& to = k.of[block.direction];
    const int64_t rows = block.rows;
    T *dh = memory + 4 * block.first_row * h, *unwanted = dh + rows * h;
    std::fill_n(dh, rows * h, T{0});
    for (int64_t i = 0, token = block.end_token(); i < size.steps; ++i) {
      const int64_t t = time_of(i, block.steps(), !size.is_reverse(block.direction)), live = block.live(t);
      token -= live;
      for (int64_t b = 0; b < rows; ++b) {
        const int64_t row = block.sentences[b] * size.steps + t, at = (token + b) * h;
        T* dgx = to.dgx ? to.dgx + 3 * row * h : unwanted;
        if (b < live)
          cells.gru_cell_grad(k.saved_gates + 4 * at, k.h_prev + at, dh + b * h,
                              k.dy + (row * size.directions + block.direction) * h, dgx, k.dgh + 3 * at, h);
        else
          std::fill_n(dgx, 3 * h, T{0});
      }
      if (live > 0 && (i + 1 < block.steps() || to.dh0))
        cpu_gemm(Matrix{k.dgh + 3 * token * h, live, 3 * h}, to.wt, Matrix{dh, live, h}, true);
    }
    for (int64_t b = 0; b < rows && to.dh0; ++b) std::copy_n(dh + b * h, h, to.dh0 + block.sentences[b] * h);
  });
}

template <class T>
bool install_kernels() {
  return install<Device::cpu>(kernels::gru<T>, gru_cpu<T>) &&
         install<Device::cpu>(kernels::gru_grad<T>, gru_grad_cpu<T>);
}

const bool registered = install_kernels<float>() && install_kernels<double>() &&
                        register_op({"gru", "one direction of a GRU layer with true lengths"}) &&
                        register_op({"bidirectional_gru", "both directions of a GRU layer, side by side"});

using Directions = std::array<GruDirection, 2>;

// W for the products of so many steps.
template <class T>
PackedMatrix<T> for_steps(const Tensor& w, int64_t steps) {
  const PackedMatrix<T> known = prepared<T>(w);
  return steps > 1 && !known.panels ? pack_for_few_rows<T>(w.device, as_matrix<T>(w)) : known;
}

void check(const char* op, const Directions& all, int64_t directions, const Tensor& lengths, Span span) {
  const auto& [forward, reverse] = all;
  expect(op, {{"gx", forward.gx, "[B,T,3H]"},
              {"w_hh", forward.w_hh, "[H,3H]"},
              {"b_hh", forward.b_hh, "[3H]"},
              {"h0", forward.h0, "[B,H]?"},
              {"lengths", lengths, "[B] i32"}});
  if (directions == 2)
    expect(op, {{"gx", forward.gx, "[B,T,3H]"},
                {"reverse.gx", reverse.gx, "[B,T,3H]"},
                {"reverse.w_hh", reverse.w_hh, "[H,3H]"},
                {"reverse.b_hh", reverse.b_hh, "[3H]"},
                {"reverse.h0", reverse.h0, "[B,H]?"}});
  if (span == Span::time_step && forward.gx.shape[1] != 1)
    refuse("{}: gx {} is more than one time step", op, forward.gx.shape.str());
  check_lengths(op, "lengths", lengths, forward.gx.shape[1]);
}

Tensor run(const char* op, const Directions& all, int64_t directions, const Tensor& lengths, bool reverse, Span span) {
  check(op, all, directions, lengths, span);
  const DType dtype = all[0].gx.dtype;
  const Device device = all[0].gx.device;
  const kernels::GruSizes size{directions, all[0].gx.shape[0], all[0].gx.shape[1], all[0].w_hh.shape[0], reverse};
  const int64_t batch = size.batch, steps = size.steps, h = size.hidden;
  const std::initializer_list<Tensor> inputs = {all[0].gx, all[0].w_hh, all[0].b_hh, all[0].h0,
                                                all[1].gx, all[1].w_hh, all[1].b_hh, all[1].h0};
  const bool recorded = Tape::current().wants_grad(inputs);
  const int64_t rows = saved_rows(lengths, steps);
  Tensor y = empty({batch, steps, directions * h}, dtype, device);
  const Tensor h_prev = recorded ? empty({directions, rows, h}, dtype, device) : Tensor{};
  const Tensor saved_gates = recorded ? empty({4 * directions, rows, h}, dtype, device) : Tensor{};
  dispatch(dtype, [&]<class T> {
    kernels::Gru<T> k{{}, size, lengths.as<int32_t>(), y.as<T>(), h_prev.as_or_null<T>(), saved_gates.as_or_null<T>()};
    for (size_t d = 0; d < static_cast<size_t>(directions); ++d)
      k.of[d] = {all[d].gx.as<T>(), for_steps<T>(all[d].w_hh, steps), all[d].b_hh.as<T>(), all[d].h0.as_or_null<T>()};
    kernels::gru<T>(device, k);
  });
  Tape::current().record(y, {.inputs = inputs, .saves = {all[0].w_hh, all[1].w_hh}}, [=](const Tensor& dy) {
    const Tensor dgh = empty({directions, rows, 3 * h}, dtype, device);
    dispatch(dtype, [&]<class T> {
      const auto w_transposed = [&](const Tensor& w) -> PackedMatrix<T> {
        if (!w.defined()) return {};
        if (span == Span::time_step) return TimeSteps<T>::current().transposed(w);
        return pack_for_few_rows<T>(device, as_matrix<T>(w).t());
      };
      const PackedMatrix<T> wt[2] = {w_transposed(all[0].w_hh), w_transposed(all[1].w_hh)};
      write_grads<T>({all[0].gx, all[0].h0, all[1].gx, all[1].h0}, [&](T* dgx, T* dh0, T* reverse_dgx, T* reverse_dh0) {
        kernels::gru_grad<T>(device, {{{wt[0], dgx, dh0}, {wt[1], reverse_dgx, reverse_dh0}},
                                      size,
                                      lengths.as<int32_t>(),
                                      h_prev.as<T>(),
                                      saved_gates.as<T>(),
                                      dy.as<T>(),
                                      dgh.as<T>()});
      });
      for (int64_t d = directions - 1; d >= 0; --d) {  // as of two ops, the later one first
        const GruDirection& x = all[static_cast<size_t>(d)];
        const Matrix<const T> dgates{dgh.as<T>() + d * rows * 3 * h, rows, 3 * h};
        add_weight_gradient<T>(x.w_hh, Matrix{h_prev.as<T>() + d * rows * h, rows, h}, dgates, span);
        add_bias_gradient<T>(x.b_hh, dgates);
      }
    });
  });
  return y;
}

}  // namespace

Tensor gru(const Tensor& gx, const Tensor& w_hh, const Tensor& b_hh, const Tensor& h0, const Tensor& lengths,
           bool reverse, Span span) {
  return run("gru", {{{gx, w_hh, b_hh, h0}, {}}}, 1, lengths, reverse, span);
}

Tensor bidirectional_gru(const GruDirection& forward, const GruDirection& reverse, const Tensor& lengths) {
  return run("bidirectional_gru", {{forward, reverse}}, 2, lengths, false, Span::sequence);
}

}  // namespace seqgrad

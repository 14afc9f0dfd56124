// Sentences are independent in the recurrence, so a thread takes a fixed block of them through all time steps of one
// direction.
#include "engine/ops/gru.h"

#include <algorithm>
#include <array>
#include <vector>

#include "engine/core/expect.h"
#include "engine/core/op_registry.h"
#include "engine/core/thread_pool.h"
#include "engine/device/cpu_gemm.h"
#include "engine/ops/cell_rows.h"
#include "engine/ops/id_range.h"
#include "engine/ops/write_grads.h"

namespace seqgrad {
namespace {

// Steps that any sentence of the block still has.
int64_t longest(const int32_t* lengths, int64_t begin, int64_t end) {
  return *std::max_element(lengths + begin, lengths + end);
}

// Calls f(direction, begin, end) for each block of sentences of each direction, in parallel.
template <class F>
void each_block(const kernels::GruSizes& size, const F& f) {
  const int64_t height = sentences_at_once(size.hidden), blocks = (size.batch + height - 1) / height;
  parallel_blocks(size.directions * blocks, [&](int64_t i) {
    const int64_t begin = i % blocks * height;
    f(i / blocks, begin, std::min(begin + height, size.batch));
  });
}

template <class T>
void gru_cpu(const kernels::Gru<T>& k) {
  const kernels::GruSizes& size = k.size;
  const int64_t h = size.hidden, gate = size.directions * size.batch * size.steps * h;
  each_block(size, [&](int64_t d, int64_t begin, int64_t end) {
    const auto& from = k.of[d];
    const int64_t rows = end - begin, steps = longest(k.lengths, begin, end);
    thread_local std::vector<T> memory;  // state [rows,H], products [rows,3H], discarded gates [4,H]
    memory.assign(static_cast<size_t>(rows * 4 * h + 4 * h), T{0});
    T *state = memory.data(), *gh = state + rows * h, *spare = gh + rows * 3 * h;
    if (from.h0) std::copy_n(from.h0 + begin * h, rows * h, state);
    for (int64_t i = 0; i < size.steps; ++i) {
      const int64_t t = i < steps && size.backwards(d) ? steps - 1 - i : i;
      if (i < steps && (i > 0 || from.h0)) cpu_gemm(Matrix{state, rows, h}, from.w, Matrix{gh, rows, 3 * h}, false);
      for (int64_t b = 0; b < rows; ++b) {
        const int64_t row = (begin + b) * size.steps + t, at = (d * size.batch * size.steps + row) * h;
        T *s = state + b * h, *y = k.y + (row * size.directions + d) * h;
        if (t >= k.lengths[begin + b]) {
          std::fill_n(y, h, T{0});
          if (k.before) std::fill_n(k.before + at, h, T{0});
          continue;
        }
        if (k.before) std::copy_n(s, h, k.before + at);
        T* g = k.gates ? k.gates + at : spare;
        const int64_t stride = k.gates ? gate : h;
        gru_cell(from.gx + 3 * row * h, gh + b * 3 * h, from.b, s, s, g, g + stride, g + 2 * stride, g + 3 * stride, h);
        std::copy_n(s, h, y);
      }
    }
  });
}

template <class T>
void gru_grad_cpu(const kernels::GruGrad<T>& k) {
  const kernels::GruSizes& size = k.size;
  const int64_t h = size.hidden, gate = size.directions * size.batch * size.steps * h;
  each_block(size, [&](int64_t d, int64_t begin, int64_t end) {
    const auto& to = k.of[d];
    const int64_t rows = end - begin, steps = longest(k.lengths, begin, end);
    thread_local std::vector<T> memory;  // dh [rows,H], unwanted dgx [3H]
    memory.assign(static_cast<size_t>(rows * h + 3 * h), T{0});
    T *dh = memory.data(), *spare = dh + rows * h;
    for (int64_t i = 0; i < size.steps; ++i) {
      const int64_t t = i < steps && !size.backwards(d) ? steps - 1 - i : i;
      T* dgh = k.dgh + ((d * size.batch + begin) * size.steps + t) * 3 * h;
      for (int64_t b = 0; b < rows; ++b) {
        const int64_t row = (begin + b) * size.steps + t, at = (d * size.batch * size.steps + row) * h;
        T* product = dgh + b * size.steps * 3 * h;
        T* dgx = to.dgx ? to.dgx + 3 * row * h : spare;
        if (t >= k.lengths[begin + b]) {
          std::fill_n(product, 3 * h, T{0});
          std::fill_n(dgx, 3 * h, T{0});
          continue;
        }
        const T* g = k.gates + at;
        gru_cell_grad(g, g + gate, g + 2 * gate, g + 3 * gate, k.before + at, dh + b * h,
                      k.dy + (row * size.directions + d) * h, dgx, product, h);
      }
      if (i + 1 < steps || (i < steps && to.dh0))
        cpu_gemm(Matrix{dgh, rows, 3 * h, size.steps * 3 * h}, to.wt, Matrix{dh, rows, h}, true);
    }
    if (to.dh0) std::copy_n(dh, rows * h, to.dh0 + begin * h);
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
  return steps > 1 ? pack<T>(w.device, as_matrix<T>(w)) : as_matrix<T>(w);
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
  Tensor y = empty({batch, steps, directions * h}, dtype, device);
  const Tensor before = recorded ? empty({directions, batch, steps, h}, dtype, device) : Tensor{};
  const Tensor gates = recorded ? empty({4 * directions, batch, steps, h}, dtype, device) : Tensor{};
  dispatch(dtype, [&]<class T> {
    kernels::Gru<T> k{{}, size, lengths.as<int32_t>(), y.as<T>(), before.as_or_null<T>(), gates.as_or_null<T>()};
    for (size_t d = 0; d < static_cast<size_t>(directions); ++d)
      k.of[d] = {all[d].gx.as<T>(), for_steps<T>(all[d].w_hh, steps), all[d].b_hh.as<T>(), all[d].h0.as_or_null<T>()};
    kernels::gru<T>(device, k);
  });
  Tape::current().record(y, {.inputs = inputs, .saves = {all[0].w_hh, all[1].w_hh}}, [=](const Tensor& dy) {
    const Tensor dgh = empty({directions, batch, steps, 3 * h}, dtype, device);
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
                                      before.as<T>(),
                                      gates.as<T>(),
                                      dy.as<T>(),
                                      dgh.as<T>()});
      });
      for (int64_t d = directions - 1; d >= 0; --d) {  // as of two ops, the later one first
        const GruDirection& x = all[static_cast<size_t>(d)];
        const int64_t rows = batch * steps;
        const Matrix<const T> products{dgh.as<T>() + d * rows * 3 * h, rows, 3 * h};
        add_weight_gradient<T>(x.w_hh, Matrix{before.as<T>() + d * rows * h, rows, h}, products, span);
        add_bias_gradient<T>(x.b_hh, products);
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

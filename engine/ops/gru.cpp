// Sentences are independent in the recurrence, so a thread takes a fixed block of them through all time steps of one
// direction.
#include "engine/ops/gru.h"

#include <algorithm>
#include <array>
#include <vector>

#include "engine/core/op_registry.h"
#include "engine/core/thread_pool.h"
#include "engine/device/cpu_gemm.h"
#include "engine/ops/cell_rows.h"
#include "engine/ops/id_range.h"
#include "engine/ops/view.h"

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
        if (t >= k.lengths[begin + b]) {
          std::fill_n(product, 3 * h, T{0});
          continue;
        }
        const T* g = k.gates + at;
        gru_cell_grad(g, g + gate, g + 2 * gate, g + 3 * gate, k.before + at, dh + b * h,
                      k.dy + (row * size.directions + d) * h, to.dgx ? to.dgx + 3 * row * h : spare, product, h);
      }
      if (i + 1 < steps || (i < steps && to.dh0))
        cpu_gemm(Matrix{dgh, rows, 3 * h, size.steps * 3 * h}, to.wt, Matrix{dh, rows, h}, true);
    }
    if (to.dh0)
      for (int64_t j = 0; j < rows * h; ++j) to.dh0[begin * h + j] += dh[j];
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

void check(const char* op, const Directions& all, int64_t directions, const Tensor& lengths) {
  for (int64_t d = 0; d < directions; ++d) {
    const GruDirection& x = all[static_cast<size_t>(d)];
    check_alive(op, {lengths, x.gx, x.w_hh, x.b_hh, x.h0});
    if (x.gx.shape.rank() != 3 || x.w_hh.shape.rank() != 2)
      refuse("{}: gx is {}, w_hh is {}; expected [B,T,3H] and [H,3H]", op, x.gx.shape.str(), x.w_hh.shape.str());
    const int64_t batch = x.gx.shape[0], h = x.w_hh.shape[0];
    if (x.gx.shape[2] != 3 * h || x.w_hh.shape[1] != 3 * h || !(x.b_hh.shape == Shape{3 * h}) ||
        (x.h0.defined() && !(x.h0.shape == Shape{batch, h})) || !(lengths.shape == Shape{batch}))
      refuse("{}: gx {}, w_hh {}, b_hh {}, h0 {}, lengths {} do not fit", op, x.gx.shape.str(), x.w_hh.shape.str(),
             x.b_hh.shape.str(), x.h0.defined() ? x.h0.shape.str() : "none", lengths.shape.str());
  }
  const Shape &ahead = all[0].gx.shape, &back = all[1].gx.shape;
  if (directions == 2 && !(ahead == back)) refuse("{}: gx is {} ahead and {} back", op, ahead.str(), back.str());
  check_lengths(op, "lengths", lengths, ahead[1]);
}

Tensor run(const char* op, const Directions& all, int64_t directions, const Tensor& lengths, bool reverse, Span span) {
  check(op, all, directions, lengths);
  const DType dtype = all[0].gx.dtype;
  const Device device = all[0].gx.device;
  if (span == Span::time_step && all[0].gx.shape[1] != 1)
    refuse("{}: gx {} is more than one time step", op, all[0].gx.shape.str());
  const kernels::GruSizes size{directions, all[0].gx.shape[0], all[0].gx.shape[1], all[0].w_hh.shape[0], reverse};
  const int64_t batch = size.batch, steps = size.steps, h = size.hidden;
  const bool recorded = Tape::current().wants_grad(
      {all[0].gx, all[0].w_hh, all[0].b_hh, all[0].h0, all[1].gx, all[1].w_hh, all[1].b_hh, all[1].h0});
  Tensor y = empty({batch, steps, directions * h}, dtype, device);
  const Tensor before = recorded ? empty({directions, batch, steps, h}, dtype, device) : Tensor{};
  const Tensor gates = recorded ? empty({4 * directions, batch, steps, h}, dtype, device) : Tensor{};
  dispatch(dtype, [&]<class T> {
    kernels::Gru<T> k{{}, size, lengths.as<int32_t>(), y.as<T>(), nullptr, nullptr};
    for (size_t d = 0; d < static_cast<size_t>(directions); ++d)
      k.of[d] = {all[d].gx.as<T>(), for_steps<T>(all[d].w_hh, steps), all[d].b_hh.as<T>(),
                 all[d].h0.defined() ? all[d].h0.as<T>() : nullptr};
    if (recorded) k.before = before.as<T>(), k.gates = gates.as<T>();
    kernels::gru<T>(device, k);
  });
  save_for_backward({all[0].w_hh, all[1].w_hh});
  Tape::current().record(
      y, {all[0].gx, all[0].w_hh, all[0].b_hh, all[0].h0, all[1].gx, all[1].w_hh, all[1].b_hh, all[1].h0},
      [=](const Tensor& dy) {
        const Tensor dgh = empty({directions, batch, steps, 3 * h}, dtype, device);
        dispatch(dtype, [&]<class T> {
          const auto grad_of = [](const Tensor& x) { return x.requires_grad() ? grad(x).as<T>() : nullptr; };
          kernels::GruGrad<T> k{{},         size,       lengths.as<int32_t>(), before.as<T>(), gates.as<T>(),
                                dy.as<T>(), dgh.as<T>()};
          for (size_t d = 0; d < static_cast<size_t>(directions); ++d)
            k.of[d] = {span == Span::time_step ? TimeSteps<T>::current().transposed(all[d].w_hh)
                                               : pack_for_few_rows<T>(device, as_matrix<T>(all[d].w_hh).t()),
                       grad_of(all[d].gx), grad_of(all[d].h0)};
          kernels::gru_grad<T>(device, k);
          for (int64_t d = directions - 1; d >= 0; --d) {  // as of two ops, the later one first
            const GruDirection& x = all[static_cast<size_t>(d)];
            const int64_t rows = batch * steps;
            const Matrix<const T> products{k.dgh + d * rows * 3 * h, rows, 3 * h};
            add_weight_gradient<T>(x.w_hh, Matrix{k.before + d * rows * h, rows, h}, products, span);
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

Tensor bidirectional_gru(const GruDirection& ahead, const GruDirection& back, const Tensor& lengths) {
  const auto same = [](const Tensor& a, const Tensor& b) { return a.slot && a.slot == b.slot; };
  if (same(ahead.gx, back.gx) || same(ahead.h0, back.h0)) {  // both at once would add to one gradient
    const Tensor first = gru(ahead.gx, ahead.w_hh, ahead.b_hh, ahead.h0, lengths);
    return concat(first, gru(back.gx, back.w_hh, back.b_hh, back.h0, lengths, true));
  }
  return run("bidirectional_gru", {{ahead, back}}, 2, lengths, false, Span::sequence);
}

}  // namespace seqgrad

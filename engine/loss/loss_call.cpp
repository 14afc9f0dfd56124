// The steps of a call, in the order in which they run.
#include "engine/loss/loss_call.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/loss/launch_loss.h"
#include "engine/loss/linear_tiles.h"
#include "engine/loss/reduction.h"
#include "engine/ops/elementwise.h"

namespace seqgrad {

int64_t computed_rows(const LiveRows& rows, Device device) {
  const auto live = static_cast<int64_t>(rows.rows.size());
  if (device == Device::cpu) return live;
  const auto octave = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(live)));
  const int64_t level = std::max(tile_block_rows, octave / 8);
  return (live + level - 1) / level * level;
}

LossCall::LossCall(const Prediction& p, const LossInputs& inputs, const LiveRows& rows, const LossOptions& options,
                   double divisor, GradientPlace place)
    : prediction_(p), live_(static_cast<int64_t>(rows.rows.size())), shape_(result_shape(rows, options)) {
  check_alive(p.loss_name(), {p.x, p.weight, p.bias});
  check_shapes(p, rows.batch, rows.steps, rows.classes, options.input);
  Tape& tape = Tape::current();
  wanted_ = tape.wants_grad({p.x, p.weight, p.bias});
  backwards_ = tape.backwards();
  place_ = shape_.rank() > 0 ? GradientPlace::in_backward : place;
  // On a GPU the row kernel clears the gradient of dead logits, too.
  const int64_t all = rows.batch * rows.steps;
  const bool clears = !p.is_hidden && wanted_ && device() != Device::cpu;
  count_ = p.is_hidden ? computed_rows(rows, device()) : clears ? all : live_;
  tile_ = loss_tile(device(), rows.classes, static_cast<int64_t>(size_of(p.x.dtype)));

  const RowRule rule = row_rule(inputs, options);
  const bool keep_dense = wanted_ && place_ == GradientPlace::in_backward;
  tasks_ = row_tasks(rule, rows, device(), count_, keep_dense);
  rule_ = on_device(rule, device(), p.x.dtype, !rows.dense.empty());
  const Coefficients c = coefficients(rows, options, divisor);
  groups_ = tape.scratch<int64_t>(count_, Device::cpu);
  rows_ = tape.scratch<int64_t>(count_, Device::cpu);
  std::fill_n(groups_, count_, 0);
  std::fill_n(rows_, count_, -1);
  for (int64_t i = 0; i < live_; ++i) {
    const LiveRow& r = rows.rows[static_cast<size_t>(i)];
    tasks_[i].coefficient = c.rows[static_cast<size_t>(i)];
    groups_[i] = group_of(rows, r, options.over);
    rows_[i] = p.place(r.row, rows.batch, rows.steps);
  }
  if (clears) {
    int64_t next = live_, live = 0;
    for (int64_t row = 0; row < all; ++row)  // live rows are in its order
      if (live < live_ && rows.rows[static_cast<size_t>(live)].row == row)
        ++live;
      else
        rows_[next++] = p.place(row, rows.batch, rows.steps);
  }
  for (int64_t i = 0; i < count_; ++i) tasks_[i].offset = (p.is_hidden ? i % tile_.rows : rows_[i]) * rows.classes;
  if (wanted_ && place_ != GradientPlace::in_backward) gradients_ = new_gradients(place_);
}

Gradients LossCall::new_gradients(GradientPlace place) const {
  const auto make = [&](const Tensor& x) {
    if (!x.requires_grad()) return Tensor{};
    if (place == GradientPlace::in_place) return detach(x);
    if (place == GradientPlace::in_parameters) return grad(x);
    return prediction_.is_hidden ? zeros(x.shape, x.dtype, x.device) : empty(x.shape, x.dtype, x.device);
  };
  return {make(prediction_.x), make(prediction_.weight), make(prediction_.bias)};
}

std::vector<RowResult> LossCall::forward() const {
  std::vector<RowResult> results(static_cast<size_t>(count_));
  const bool here = device() == Device::cpu;
  RowResult* to = here ? results.data() : Tape::current().scratch<RowResult>(count_, device());
  with_floating(prediction_.x.dtype, [&](auto zero) { run<decltype(zero)>(tasks_, to, nullptr, gradients_); });
  results.resize(static_cast<size_t>(live_));
  if (!here) backend(device()).download(results.data(), to, results.size() * sizeof(RowResult));
  return results;
}

const RowResult* LossCall::launch(int32_t* stop) const {
  if (device() == Device::cpu || place_ == GradientPlace::in_backward)
    refuse("{}: only a scalar on a GPU can wait for its results", prediction_.loss_name());
  auto* results = Tape::current().scratch<RowResult>(count_, device());
  with_floating(prediction_.x.dtype, [&](auto zero) { run<decltype(zero)>(tasks_, results, stop, gradients_); });
  return results;
}

template <class T>
void LossCall::run(const RowTask* tasks, RowResult* results, int32_t* stop, const Gradients& g) const {
  const Prediction& p = prediction_;
  kernels::RowLoss<T> k{p.x.as<T>(), nullptr, on_device(device(), tasks, count_), results, count_, rule_, stop};
  if (p.is_hidden) return run_tiles(k, g);
  if (g.x.defined()) k.g = g.x.as<T>();
  (rule_.input == Input::probs ? kernels::probs_loss<T> : kernels::row_loss<T>)(device(), k);
  if (g.x.defined() && count_ == live_) clear_dead_rows(g.x);
}

// Gathers live rows, multiplies, runs the row kernel in place and multiplies back, tile by tile.
template <class T>
void LossCall::run_tiles(kernels::RowLoss<T> k, const Gradients& g) const {
  const int64_t v = rule_.classes, height = std::min(tile_.rows, padded_to(count_)),
                chunks = tile_.classes < v ? (v + chunk_classes<T> - 1) / chunk_classes<T> : 0;
  LinearTile<T> tile(prediction_, g, on_device(device(), rows_, count_), height, tile_.classes);
  void* memory = Tape::current().scratch(static_cast<size_t>(height * chunks) * kernels::chunk_bytes, device());
  if (prediction_.bias.defined()) k.bias = prediction_.bias.as<T>();
  for (int64_t first = 0; first < count_; first += height) {
    kernels::RowLoss<T> rows = k;
    rows.tasks += first;
    rows.results += first;
    rows.rows = std::min(height, count_ - first);
    tile.gather(first, rows.rows);
    if (chunks > 0) {
      run_chunks(tile, rows, memory, g.any());
    } else {
      rows.x = tile.multiply(0, v);
      if (g.any()) rows.g = rows.x;
      kernels::row_loss<T>(device(), rows);
      if (g.any()) tile.multiply_back(0, v, rows.g, false);
    }
    tile.scatter();
  }
}

// A tile that has not all classes at a time. All chunks are scanned before any is finished, so that each is multiplied
// twice but for the last.
template <class T>
void LossCall::run_chunks(LinearTile<T>& tile, kernels::RowLoss<T> k, void* memory, bool wants_gradient) const {
  const int64_t v = rule_.classes, width = tile_.classes, last = (v - 1) / width * width;
  const auto end_of = [&](int64_t begin) { return std::min(v, begin + width); };
  for (int64_t begin = 0; begin < v; begin += width) {
    k.x = tile.multiply(begin, end_of(begin));
    kernels::scan_classes<T>(device(), {k, begin, end_of(begin), memory});
  }
  if (!wants_gradient)  // the first chunk's block stores results, and reads no logits
    return kernels::finish_classes<T>(device(), {k, 0, width, memory});
  for (int64_t begin = last; begin >= 0; begin -= width) {
    if (begin != last) k.x = tile.multiply(begin, end_of(begin));
    k.g = k.x;
    kernels::finish_classes<T>(device(), {k, begin, end_of(begin), memory});
    tile.multiply_back(begin, end_of(begin), k.g, end_of(begin) < v);
  }
}

template <class T>
std::vector<T> LossCall::row(int64_t i) const {
  const Prediction& p = prediction_;
  const int64_t v = rule_.classes;
  if (!p.is_hidden) return to_host<T>(p.x.as<T>() + tasks_[i].offset, v, device());
  const Gradients none;
  LinearTile<T> tile(p, none, on_device(device(), rows_, count_), padded_to(1), v);
  tile.gather(i, 1);
  std::vector<T> z = to_host<T>(tile.multiply(0, v), v, device());
  const std::vector<T> bias = p.bias.defined() ? to_host<T>(p.bias) : std::vector<T>(z.size());
  for (size_t c = 0; c < z.size(); ++c) z[c] += bias[c];
  return z;
}
template std::vector<float> LossCall::row(int64_t) const;
template std::vector<double> LossCall::row(int64_t) const;

// The CPU's row kernel writes the gradients of live rows only; neighbours are cleared at once.
void LossCall::clear_dead_rows(const Tensor& gradient) const {
  const size_t width = static_cast<size_t>(rule_.classes) * size_of(gradient.dtype);
  std::vector<uint8_t> live(gradient.bytes() / width, 0);
  for (int64_t i = 0; i < live_; ++i) live[static_cast<size_t>(rows_[i])] = 1;
  for (size_t n = 0; n < live.size(); ++n) {
    const size_t first = n;
    while (n < live.size() && !live[n]) ++n;
    if (n > first) backend(device()).zero(static_cast<char*>(gradient.data) + first * width, (n - first) * width);
  }
}

void LossCall::record(Tensor& value) const {
  const Prediction& p = prediction_;
  if (wanted_ && place_ == GradientPlace::in_place) p.x.slot->consumed = true;
  Tape::current().record(value, {p.x, p.weight, p.bias}, [call = *this](const Tensor& dy) {
    with_floating(call.prediction_.x.dtype, [&](auto zero) { call.backward<decltype(zero)>(dy); });
  });
  if (wanted_ && place_ == GradientPlace::in_backward) save_for_backward({p.x, p.weight, p.bias});
}

// The upstream gradient of a scalar loss; a GPU is asked for it only where it may not be 1.
template <class T>
static T upstream(const Tensor& dy) {
  return Tape::current().began_with_one(dy) ? T{1} : scalar<T>(dy);
}

// The tasks with the upstream gradient of their entry of a vector loss folded into the coefficient.
template <class T>
const RowTask* LossCall::with_upstream(const Tensor& dy) const {
  const std::vector<T> upstream = to_host<T>(dy);
  auto* out = Tape::current().scratch<RowTask>(count_, Device::cpu);
  for (int64_t i = 0; i < count_; ++i) {
    out[i] = tasks_[i];
    out[i].coefficient *= static_cast<double>(upstream[groups_[i]]);
  }
  return out;
}

template <class T>
void LossCall::backward(const Tensor& dy) const {
  const Prediction& p = prediction_;
  Gradients g = gradients_;
  T scale = 1;
  switch (place_) {
    case GradientPlace::in_backward: {
      g = new_gradients(place_);
      run<T>(with_upstream<T>(dy), Tape::current().scratch<RowResult>(count_, device()), nullptr, g);
      break;
    }
    case GradientPlace::in_place:
      if (p.x.slot->grad)
        refuse("sequence_loss: backward ran twice over logits that were moved in; pass them without std::move");
      p.x.slot->grad = g.x.data;
      if (const T up = upstream<T>(dy); up != 1) kernels::scale_in_place<T>(device(), {g.x.as<T>(), g.x.numel(), up});
      return;
    case GradientPlace::in_parameters:
      // They last until a backward begins: a second one starts those of what the tape has made anew.
      if (backwards_ == 0 && Tape::current().backwards() == 1 && upstream<T>(dy) == 1) return;
      refuse(
          "linear_sequence_loss: its parameters have their gradients already, for one backward with an upstream of "
          "1; call it with ParameterGradients::in_backward for any other");
    case GradientPlace::apart: scale = upstream<T>(dy); break;
  }
  for (const auto& [from, to] : {std::pair{g.x, p.x}, {g.weight, p.weight}, {g.bias, p.bias}})
    if (from.defined())
      kernels::axpy<T>(device(), {scale, from.template as<T>(), grad(to).template as<T>(), from.numel()});
}

}  // namespace seqgrad

// The steps of a call, in the order in which they run.
#include "engine/loss/loss_call.h"

#include <algorithm>

#include "engine/loss/linear_tiles.h"
#include "engine/ops/elementwise.h"

namespace seqgrad {

LossCall::LossCall(const Prediction& p, const LossTasks& tasks, GradientPlace place)
    : prediction_(p),
      tasks_(tasks),
      place_(tasks.shape.rank() > 0 ? GradientPlace::in_backward : place),
      wanted_(Tape::current().wants_grad({p.x, p.weight, p.bias})),
      backwards_(Tape::current().backwards()) {
  check_alive(p.loss_name(), {p.x, p.weight, p.bias});
  check_shapes(p, tasks.batch, tasks.steps, tasks.rule.classes, tasks.rule.input);
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
  std::vector<RowResult> results(static_cast<size_t>(tasks_.count));
  RowResult* to = tasks_.device_results ? tasks_.device_results : results.data();
  dispatch(prediction_.x.dtype, [&]<class T> { run<T>(tasks_.device_tasks, to, nullptr, gradients_); });
  results.resize(static_cast<size_t>(tasks_.live));
  if (to != results.data()) backend(device()).download(results.data(), to, results.size() * sizeof(RowResult));
  return results;
}

void LossCall::launch(int32_t* stop) const {
  if (device() == Device::cpu || place_ == GradientPlace::in_backward)
    refuse("{}: only a scalar on a GPU can wait for its results", prediction_.loss_name());
  dispatch(prediction_.x.dtype, [&]<class T> { run<T>(tasks_.device_tasks, tasks_.device_results, stop, gradients_); });
}

template <class T>
void LossCall::run(const RowTask* tasks, RowResult* results, int32_t* stop, const Gradients& g) const {
  const Prediction& p = prediction_;
  kernels::RowLoss<T> k{p.x.as<T>(), nullptr, tasks, results, tasks_.count, tasks_.rule, stop};
  if (p.is_hidden) return run_tiles(k, g);
  if (g.x.defined()) k.g = g.x.as<T>();
  (tasks_.rule.input == Input::probs ? kernels::probs_loss<T> : kernels::row_loss<T>)(device(), k);
  const bool kernel_clears = tasks_.count > tasks_.live;  // dead rows are among the tasks (LossTasks)
  if (g.x.defined() && !kernel_clears) clear_dead_rows(g.x);
}

// Gathers live rows, multiplies, runs the row kernel in place and multiplies back, tile by tile.
template <class T>
void LossCall::run_tiles(kernels::RowLoss<T> k, const Gradients& g) const {
  const int64_t v = tasks_.rule.classes, height = std::min(tasks_.tile.rows, padded_to(tasks_.count)),
                chunks = tasks_.tile.classes < v ? (v + chunk_classes<T> - 1) / chunk_classes<T> : 0;
  LinearTile<T> tile(prediction_, g, tasks_.device_rows, height, tasks_.tile.classes);
  void* memory = Tape::current().scratch(static_cast<size_t>(height * chunks) * kernels::chunk_bytes, device());
  if (prediction_.bias.defined()) k.bias = prediction_.bias.as<T>();
  for (int64_t first = 0; first < tasks_.count; first += height) {
    kernels::RowLoss<T> rows = k;
    rows.tasks += first;
    rows.results += first;
    rows.rows = std::min(height, tasks_.count - first);
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
  const int64_t v = tasks_.rule.classes, width = tasks_.tile.classes, last = (v - 1) / width * width;
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
  const int64_t v = tasks_.rule.classes;
  if (!p.is_hidden) return to_host<T>(p.x.as<T>() + tasks_.tasks[i].offset, v, device());
  const Gradients none;
  LinearTile<T> tile(p, none, tasks_.device_rows, padded_to(1), v);
  tile.gather(i, 1);
  std::vector<T> z = to_host<T>(tile.multiply(0, v), v, device());
  const std::vector<T> bias = p.bias.defined() ? to_host<T>(p.bias) : std::vector<T>(z.size());
  for (size_t c = 0; c < z.size(); ++c) z[c] += bias[c];
  return z;
}
template std::vector<float> LossCall::row(int64_t) const;
template std::vector<double> LossCall::row(int64_t) const;

// The CPU's row kernel writes gradients of live rows only. Dead rows that follow each other are cleared in one call.
void LossCall::clear_dead_rows(const Tensor& gradient) const {
  const size_t width = static_cast<size_t>(tasks_.rule.classes) * size_of(gradient.dtype);
  std::vector<uint8_t> live(gradient.bytes() / width, 0);
  for (int64_t i = 0; i < tasks_.live; ++i) live[static_cast<size_t>(tasks_.rows[i])] = 1;
  for (size_t n = 0; n < live.size(); ++n) {
    const size_t first = n;
    while (n < live.size() && !live[n]) ++n;
    if (n > first) backend(device()).zero(static_cast<char*>(gradient.data) + first * width, (n - first) * width);
  }
}

void LossCall::record(Tensor& value) const {
  const Prediction& p = prediction_;
  if (wanted_ && place_ == GradientPlace::in_place) p.x.slot->consumed = true;
  const bool saves = place_ == GradientPlace::in_backward;
  const auto saved = [=](const Tensor& x) { return saves ? x : Tensor{}; };
  Tape::current().record(
      value, {.inputs = {p.x, p.weight, p.bias}, .saves = {saved(p.x), saved(p.weight), saved(p.bias)}},
      [call = *this](const Tensor& dy) { dispatch(call.prediction_.x.dtype, [&]<class T> { call.backward<T>(dy); }); });
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
  std::vector<RowTask> out(tasks_.tasks, tasks_.tasks + tasks_.count);
  for (size_t i = 0; i < out.size(); ++i)
    out[i].coefficient *= static_cast<double>(upstream[static_cast<size_t>(tasks_.groups[i])]);
  return to_device<RowTask>(out, device());
}

template <class T>
static void add_scaled(T scale, const Tensor& from, const GradTarget& to) {
  kernels::axpy<T>(from.device, {scale, from.as<T>(), to.tensor.as<T>(), from.numel(), to.accumulate});
}

template <class T>
void LossCall::backward(const Tensor& dy) const {
  const Prediction& p = prediction_;
  Gradients g = gradients_;
  T scale = 1;
  switch (place_) {
    case GradientPlace::in_backward: {
      g = new_gradients(place_);
      run<T>(with_upstream<T>(dy), Tape::current().scratch<RowResult>(tasks_.count, device()), nullptr, g);
      break;
    }
    case GradientPlace::in_place:
      if (p.x.slot->grad)
        refuse("sequence_loss: backward ran twice over logits that were moved in; pass them without std::move");
      p.x.slot->grad = g.x.data;
      p.x.slot->written = true;
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
    if (from.defined()) add_scaled<T>(scale, from, grad_target(to));
}

}  // namespace seqgrad

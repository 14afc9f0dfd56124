// The loss of logits or probabilities: live rows in, gradients scattered into zeros.
#include "engine/loss/sequence_loss.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/loss/result_shape.h"
#include "engine/loss/row_report.h"
#include "engine/loss/unfinished_loss.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/view.h"

namespace seqgrad {
namespace {

// `sizes` has batch, steps and classes: LossInputs or LiveRows.
template <class Sizes>
void check_shape(const Tensor& x, const Sizes& sizes, const LossOptions& options, Layout layout) {
  const bool time = layout == Layout::time;
  const Shape want =
      time ? Shape{sizes.steps, sizes.batch, sizes.classes} : Shape{sizes.batch, sizes.steps, sizes.classes};
  if (x.shape == want) return;
  const char* name = options.input == Input::probs ? "probs" : "logits";
  if (x.shape.rank() != 3)
    refuse(LossCode::shape, "loss: {} are {}; expected rank 3, {}", name, x.shape.str(), time ? "[T,B,V]" : "[B,T,V]");
  const int64_t b = x.shape[time ? 1 : 0], t = x.shape[time ? 0 : 1], v = x.shape[2];
  refuse(LossCode::shape, "loss: targets are [B={},T={}] but {} are [B={},T={},V={}]; {}", sizes.batch, sizes.steps,
         name, b, t, v,
         b == sizes.batch && v == sizes.steps && t == sizes.classes
             ? fmt::format("are the {} [B,V,T]? The classes come last", name)
         : b == sizes.steps && t == sizes.batch ? "are they time-major, [T,B,V]? Then the layout is time"
         : t != sizes.steps                     ? "T must match (did you forget to shift or trim?)"
         : b != sizes.batch                     ? "B must match"
                                                : fmt::format("V must be {}", sizes.classes));
}

template <class Sizes>
void check_steps(const std::vector<Tensor>& steps, const Sizes& sizes, const LossOptions& options) {
  const char* name = options.input == Input::probs ? "probs" : "logits";
  if (steps.empty())
    refuse(LossCode::combination, "loss: layout: list without a step; write at least {}.0 and targets.0", name);
  if (static_cast<int64_t>(steps.size()) != sizes.steps)
    refuse(LossCode::step_counts, "loss: {} has {} steps, targets {}", name, steps.size(), sizes.steps);
  for (size_t t = 0; t < steps.size(); ++t)
    if (!(steps[t].shape == Shape{sizes.batch, sizes.classes}))
      refuse(LossCode::shape, "loss: {}.{} is {}; expected [B={},V={}]", name, t, steps[t].shape.str(), sizes.batch,
             sizes.classes);
}

// One call of the loss: what the row kernel is asked, with the coefficients of an upstream of 1.
struct Call {
  Tensor x;
  RowRule rule;
  const RowTask* tasks;   // the live rows come first; on a GPU the others follow, whose gradient the kernel clears
  const int64_t* groups;  // the entry of a vector loss that each row adds to
  int64_t live, count;    // tasks
  Shape shape;            // of the result
  bool in_place, wanted;
  Tensor gradient;  // for an upstream of 1; a vector loss learns its upstream only in backward

  bool vector() const { return shape.rank() > 0; }
  template <class T>
  kernels::RowLoss<T> kernel(RowResult* results) const {
    return {x.as<T>(), gradient.defined() ? gradient.as<T>() : nullptr, tasks, results, count, rule};
  }
};

Call make_call(const Tensor& x, bool in_place, const LossInputs& inputs, const LiveRows& rows,
               const LossOptions& options, double divisor, Layout layout) {
  check_alive("sequence_loss", {x});
  check_shape(x, rows, options, layout);
  const Coefficients c = coefficients(rows, options, divisor);
  const bool wanted = Tape::current().wants_grad({x});
  const auto live = static_cast<int64_t>(rows.rows.size()), all = rows.batch * rows.steps;
  const int64_t count = wanted && x.device != Device::cpu ? all : live;
  const auto place = [&](int64_t row) {
    const int64_t b = row / rows.steps, t = row % rows.steps;
    return (layout == Layout::time ? t * rows.batch + b : row) * rows.classes;
  };
  const RowRule rule = row_rule(inputs, options);
  const Shape shape = result_shape(rows, options);
  RowTask* tasks = row_tasks(rule, rows, count, wanted && shape.rank() > 0);
  int64_t* groups = Tape::current().scratch<int64_t>(count, Device::cpu);
  int64_t next = live, row = 0;
  for (int64_t i = 0; i < live; ++i) {  // in the order of rows
    const LiveRow& r = rows.rows[static_cast<size_t>(i)];
    for (; count == all && row < r.row; ++row) tasks[next++].offset = place(row);
    row = r.row + 1;
    tasks[i].offset = place(r.row);
    tasks[i].coefficient = c.rows[static_cast<size_t>(i)];
    groups[i] = group_of(rows, r, options.over);
  }
  for (; count == all && row < all; ++row) tasks[next++].offset = place(row);
  std::fill(groups + live, groups + count, 0);
  Call call{x, rule, tasks, groups, live, count, shape, in_place, wanted, {}};
  if (wanted && !call.vector()) call.gradient = in_place ? detach(x) : empty(x.shape, x.dtype, x.device);
  return call;
}

// The CPU's row kernel writes the gradients of live rows only; neighbours are cleared at once.
void clear_dead_rows(const Call& call, const LiveRows& rows) {
  std::vector<uint8_t> live(static_cast<size_t>(rows.batch * rows.steps), 0);
  for (int64_t i = 0; i < call.live; ++i) live[static_cast<size_t>(call.tasks[i].offset / rows.classes)] = 1;
  const Tensor& x = call.gradient;
  const size_t width = static_cast<size_t>(rows.classes) * size_of(x.dtype);
  for (size_t n = 0; n < live.size(); ++n) {
    const size_t first = n;
    while (n < live.size() && !live[n]) ++n;
    if (n > first) backend(x.device).zero(static_cast<char*>(x.data) + first * width, (n - first) * width);
  }
}

void record(Tensor& value, const Call& call) {
  if (call.in_place && call.wanted) call.x.slot->consumed = true;
  Tape::current().record(value, {call.x}, [=](const Tensor& dy) {
    const Tensor &x = call.x, &gradient = call.gradient;
    with_floating(x.dtype, [&](auto zero) {
      using T = decltype(zero);
      if (call.in_place) {  // the gradient already stands where it belongs, but for an upstream other than 1
        if (x.slot->grad)
          refuse("sequence_loss: backward ran twice over logits that were moved in; pass them without std::move");
        x.slot->grad = gradient.data;
        if (const T g = upstream<T>(dy); g != 1)
          kernels::scale_in_place<T>(x.device, {gradient.as<T>(), gradient.numel(), g});
      } else {
        kernels::axpy<T>(x.device, {upstream<T>(dy), gradient.as<T>(), grad(x).template as<T>(), gradient.numel()});
      }
    });
  });
}

void record_vector(Tensor& value, const Call& call) {
  if (call.wanted) save_for_backward({call.x});
  Tape::current().record(value, {call.x}, [=](const Tensor& dy) {
    with_floating(call.x.dtype, [&](auto zero) {
      using T = decltype(zero);
      Call now = call;
      now.tasks = with_upstream<T>(call.tasks, call.groups, call.count, dy);
      now.gradient = zeros(call.x.shape, call.x.dtype, call.x.device);
      run_rows<T>(call.x.device, now.template kernel<T>(Tape::current().scratch<RowResult>(call.count, Device::cpu)));
      kernels::axpy<T>(call.x.device,
                       {T{1}, now.gradient.template as<T>(), grad(call.x).template as<T>(), now.gradient.numel()});
    });
  });
}

LossResult run(const Tensor& x, bool in_place, const LossInputs& inputs, const LiveRows& rows,
               const LossOptions& options, double divisor, Layout layout) {
  const Call call = make_call(x, in_place, inputs, rows, options, divisor, layout);
  std::vector<RowResult> results(static_cast<size_t>(call.count));
  LossResult out;
  with_floating(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    run_rows<T>(x.device, call.kernel<T>(results.data()));
    results.resize(rows.rows.size());
    // A row without a finite maximum is as it was: the row kernel stops before it overwrites one. One that has a finite
    // maximum and an infinite loss may hold its gradient by now, which is finite: what is said then is of a row that
    // has neither NaN nor +inf, as it had.
    out = finish(rows, call.tasks, results, call.rule, options, divisor, [&](size_t i) {
      const std::vector<T> row = to_host<T>(x.as<T>() + call.tasks[i].offset, rows.classes, x.device);
      return options.input == Input::probs ? offending_probability(row.data(), rows, rows.rows[i])
                                           : offending_logit(row.data(), rows, rows.rows[i]);
    });
  });
  if (call.gradient.defined() && call.count == call.live) clear_dead_rows(call, rows);
  out.value = value_tensor(out.values, call.shape, x);
  call.vector() ? record_vector(out.value, call) : record(out.value, call);
  return out;
}

bool may_overwrite(const Tensor& prediction, const LiveRows& rows, const LossOptions& options) {
  return options.input == Input::logits && prediction.slot && !prediction.slot->saved &&
         result_shape(rows, options).rank() == 0;
}

}  // namespace

LossResult sequence_loss(const Tensor& prediction, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, double divisor, Layout layout) {
  return run(prediction, false, inputs, rows, options, divisor, layout);
}

LossResult sequence_loss(const Tensor& prediction, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, Layout layout) {
  return run(prediction, false, inputs, rows, options, rows.divisor, layout);
}

LossResult sequence_loss(Tensor&& prediction, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, double divisor, Layout layout) {
  const bool in_place = may_overwrite(prediction, rows, options);
  LossResult out = run(prediction, in_place, inputs, rows, options, divisor, layout);
  if (in_place) prediction = {};
  return out;
}

UnfinishedLoss unfinished_sequence_loss(Tensor&& prediction, const LossInputs& inputs, const LiveRows& rows,
                                        const LossOptions& options, double divisor, int32_t* stop) {
  const Tensor x = std::exchange(prediction, {});
  const Call call = make_call(x, may_overwrite(x, rows, options), inputs, rows, options, divisor, Layout::batch);
  if (x.device == Device::cpu || call.vector())
    refuse("unfinished_sequence_loss: only a scalar on a GPU can wait for its results");
  RowResult* kept = Tape::current().scratch<RowResult>(call.count, x.device);
  UnfinishedLoss out{empty({}, x.dtype, x.device), kept};
  with_floating(x.dtype, [&](auto zero) {
    auto kernel = call.kernel<decltype(zero)>(nullptr);
    kernel.device_results = kept;
    kernel.stop = stop;
    run_rows(x.device, kernel);
  });
  record(out.value, call);
  return out;
}

LossResult sequence_loss(const std::vector<Tensor>& steps, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, double divisor) {
  check_steps(steps, rows, options);
  return run(stack_steps(steps), false, inputs, rows, options, divisor, Layout::batch);
}

LossResult sequence_loss(const Tensor& prediction, const LossInputs& inputs, const LossOptions& options,
                         Layout layout) {
  check_options(options, inputs.classes);
  check_shape(prediction, inputs, options, layout);
  return sequence_loss(prediction, inputs, build_live_rows(inputs, options), options, layout);
}

LossResult sequence_loss(const std::vector<Tensor>& steps, const LossInputs& inputs, const LossOptions& options) {
  check_options(options, inputs.classes);
  check_steps(steps, inputs, options);
  const LiveRows rows = build_live_rows(inputs, options);
  return sequence_loss(steps, inputs, rows, options, rows.divisor);
}

}  // namespace seqgrad

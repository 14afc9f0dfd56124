// The loss of logits or probabilities: live rows in, gradients scattered into zeros.
#include "engine/loss/sequence_loss.h"

#include <cmath>

#include "engine/loss/result_shape.h"
#include "engine/loss/row_report.h"
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
         t != sizes.steps   ? "T must match (did you forget to shift or trim?)"
         : b != sizes.batch ? "B must match"
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

// The row kernel writes the gradients of live rows only; neighbours are cleared at once.
void clear_dead_rows(const Tensor& x, const LiveRows& rows, const RowTask* tasks) {
  std::vector<uint8_t> live(static_cast<size_t>(rows.batch * rows.steps), 0);
  for (size_t i = 0; i < rows.rows.size(); ++i) live[static_cast<size_t>(tasks[i].at / rows.classes)] = 1;
  const size_t width = static_cast<size_t>(rows.classes) * size_of(x.dtype);
  for (size_t n = 0; n < live.size(); ++n) {
    const size_t first = n;
    while (n < live.size() && !live[n]) ++n;
    if (n > first) backend(x.device).zero(static_cast<char*>(x.data) + first * width, (n - first) * width);
  }
}

LossResult run(const Tensor& x, bool in_place, const LossInputs& inputs, const LiveRows& rows,
               const LossOptions& options, double divisor, Layout layout) {
  check_alive("sequence_loss", {x});
  check_shape(x, rows, options, layout);
  const RowRule rule = row_rule(inputs, options);
  const Coefficients c = coefficients(rows, options, divisor);
  const Shape shape = result_shape(rows, options);
  const bool wanted = Tape::current().wants_grad({x}), vector = shape.rank() > 0;
  const auto count = static_cast<int64_t>(rows.rows.size());

  RowTask* tasks = row_tasks(rows);
  int64_t* groups = Tape::current().scratch<int64_t>(count, Device::cpu);
  for (int64_t i = 0; i < count; ++i) {
    const LiveRow& r = rows.rows[static_cast<size_t>(i)];
    const int64_t b = r.row / rows.steps, t = r.row % rows.steps;
    tasks[i].at = (layout == Layout::time ? t * rows.batch + b : r.row) * rows.classes;
    tasks[i].coefficient = c.rows[static_cast<size_t>(i)];
    groups[i] = group_of(rows, r, options.over);
  }
  std::vector<RowResult> results(rows.rows.size());
  Tensor gradient;  // for an upstream gradient of 1; a vector loss learns its upstream only in backward
  if (wanted && !vector) gradient = in_place ? detach(x) : empty(x.shape, x.dtype, x.device);

  LossResult out;
  with_floating(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    run_rows<T>(x.device, {x.as<T>(), gradient.data ? gradient.as<T>() : nullptr, tasks, results.data(), count, rule});
    // A row with a NaN or an infinity is as it was: the row kernel stops before it overwrites one.
    out = finish(rows, tasks, results, rule, options, divisor, [&](size_t i) {
      const std::vector<T> row = to_host<T>(x.as<T>() + tasks[i].at, rows.classes, x.device);
      return options.input == Input::probs ? offending_probability(row.data(), rows, rows.rows[i])
                                           : offending_logit(row.data(), rows, rows.rows[i]);
    });
  });
  if (gradient.data) clear_dead_rows(gradient, rows, tasks);
  out.value = value_tensor(out.values, shape, x);
  if (!wanted) return out;

  if (vector) {
    if (x.slot) x.slot->saved = true;
    Tape::current().record(out.value, {x}, [=](const Tensor& dy) {
      with_floating(x.dtype, [&](auto zero) {
        using T = decltype(zero);
        RowResult* unused = Tape::current().scratch<RowResult>(count, Device::cpu);
        const Tensor g = zeros(x.shape, x.dtype, x.device);
        run_rows<T>(x.device, {x.as<T>(), g.as<T>(), with_upstream<T>(tasks, groups, count, dy), unused, count, rule});
        kernels::axpy<T>(x.device, {T{1}, g.as<T>(), grad(x).template as<T>(), g.numel()});
      });
    });
    return out;
  }
  if (in_place) x.slot->consumed = true;
  Tape::current().record(out.value, {x}, [=](const Tensor& dy) {
    with_floating(x.dtype, [&](auto zero) {
      using T = decltype(zero);
      if (in_place) {  // the gradient already stands where it belongs, but for an upstream other than 1
        if (x.slot->grad)
          refuse("sequence_loss: backward ran twice over logits that were moved in; pass them without std::move");
        x.slot->grad = gradient.data;
        if (const T g = upstream<T>(dy); g != 1)
          kernels::axpy<T>(x.device, {g - 1, gradient.as<T>(), gradient.as<T>(), gradient.numel()});
      } else {
        kernels::axpy<T>(x.device, {upstream<T>(dy), gradient.as<T>(), grad(x).template as<T>(), gradient.numel()});
      }
    });
  });
  return out;
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
  const bool in_place = options.input == Input::logits && prediction.slot && !prediction.slot->saved &&
                        result_shape(rows, options).rank() == 0;
  LossResult out = run(prediction, in_place, inputs, rows, options, divisor, layout);
  if (in_place) prediction = {};
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

// The forms in which a loss is asked for; LossCall computes all of them.
#include "engine/loss/sequence_loss.h"

#include <utility>

#include "engine/loss/launch_loss.h"
#include "engine/loss/loss_call.h"
#include "engine/loss/row_report.h"
#include "engine/ops/view.h"

namespace seqgrad {
namespace {

LossResult run(const Prediction& p, const LossInputs& inputs, const LiveRows& rows, const LossOptions& options,
               double divisor, GradientPlace place = GradientPlace::apart) {
  StepInputs in(p.x.device);
  const LossTasks tasks(in, {p.x.dtype, p.is_hidden, Tape::current().wants_grad({p.x, p.weight, p.bias}), p.layout},
                        inputs, rows, options, divisor);
  in.upload();
  const LossCall call(p, tasks, place);
  std::vector<RowResult> results = call.forward();
  // A row without a finite maximum is as it was: the row kernel stops before it overwrites one. One that has a finite
  // maximum and an infinite loss may hold its gradient by now, which is finite: what is said then is of a row that has
  // neither NaN nor +inf, as it had.
  LossResult out = report_rows(inputs, rows, results, options, divisor, [&](size_t i) {
    return dispatch(p.x.dtype, [&]<class T> {
      const auto row = call.row<T>(static_cast<int64_t>(i));
      return options.input == Input::probs ? offending_probability(row, rows, rows.rows[i])
                                           : offending_logit(row, rows, rows.rows[i]);
    });
  });
  out.value = dispatch(p.x.dtype, [&]<class T> {
    return from_host(std::vector<T>(out.values.begin(), out.values.end()), call.shape(), p.x.device);
  });
  call.record(out.value);
  out.results = std::move(results);
  return out;
}

Tensor launch(const Prediction& p, const LossTasks& tasks, GradientPlace place, int32_t* stop) {
  const LossCall call(p, tasks, place);
  call.launch(stop);
  Tensor value = empty({}, p.x.dtype, p.x.device);
  call.record(value);
  return value;
}

GradientPlace place_of_moved(const Tensor& x, Input input, const Shape& shape) {
  const bool overwrite = input == Input::logits && x.slot && !x.slot->saved && shape.rank() == 0;
  return overwrite ? GradientPlace::in_place : GradientPlace::apart;
}

}  // namespace

LossResult sequence_loss(const Tensor& prediction, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, double divisor, Layout layout) {
  return run({.x = prediction, .layout = layout}, inputs, rows, options, divisor);
}

LossResult sequence_loss(const Tensor& prediction, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, Layout layout) {
  return sequence_loss(prediction, inputs, rows, options, rows.divisor, layout);
}

LossResult sequence_loss(Tensor&& prediction, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, double divisor, Layout layout) {
  const GradientPlace place = place_of_moved(prediction, options.input, result_shape(rows, options));
  LossResult out = run({.x = prediction, .layout = layout}, inputs, rows, options, divisor, place);
  if (place == GradientPlace::in_place) prediction = {};
  return out;
}

LossResult sequence_loss(const std::vector<Tensor>& steps, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, double divisor) {
  check_steps(steps, rows.batch, rows.steps, rows.classes, options.input);
  return run({.x = stack_steps(steps)}, inputs, rows, options, divisor);
}

LossResult linear_sequence_loss(const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                                const LossInputs& inputs, const LiveRows& rows, const LossOptions& options,
                                double divisor, ParameterGradients when) {
  return run({hidden, weight, bias, true}, inputs, rows, options, divisor,
             when == ParameterGradients::now ? GradientPlace::in_parameters : GradientPlace::apart);
}

LossResult sequence_loss(const Tensor& prediction, const LossInputs& inputs, const LossOptions& options,
                         Layout layout) {
  check_options(options, inputs.classes);
  const Prediction p{.x = prediction, .layout = layout};
  check_shapes(p, inputs.batch, inputs.steps, inputs.classes, options.input);
  const LiveRows rows = build_live_rows(inputs, options);
  return run(p, inputs, rows, options, rows.divisor);
}

LossResult sequence_loss(const std::vector<Tensor>& steps, const LossInputs& inputs, const LossOptions& options) {
  check_options(options, inputs.classes);
  check_steps(steps, inputs.batch, inputs.steps, inputs.classes, options.input);
  const LiveRows rows = build_live_rows(inputs, options);
  return sequence_loss(steps, inputs, rows, options, rows.divisor);
}

LossResult linear_sequence_loss(const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                                const LossInputs& inputs, const LossOptions& options) {
  check_options(options, inputs.classes);
  const Prediction p{hidden, weight, bias, true};
  check_shapes(p, inputs.batch, inputs.steps, inputs.classes, options.input);
  const LiveRows rows = build_live_rows(inputs, options);
  return run(p, inputs, rows, options, rows.divisor);
}

Tensor launch_linear_loss(const Tensor& hidden, const Tensor& weight, const Tensor& bias, const LossTasks& tasks,
                          int32_t* stop) {
  return launch({hidden, weight, bias, true}, tasks, GradientPlace::in_parameters, stop);
}

Tensor launch_sequence_loss(Tensor&& prediction, const LossTasks& tasks, int32_t* stop) {
  const Tensor x = std::exchange(prediction, {});
  return launch({.x = x}, tasks, place_of_moved(x, tasks.rule.input, tasks.shape), stop);
}

LossResult collect_loss(const LossInputs& inputs, const LiveRows& rows, const LossOptions& options, double divisor,
                        std::span<const RowResult> results) {
  const NoGrad no_grad;
  const ArenaMark until_return(Device::cpu);
  return report_rows(inputs, rows, results, options, divisor, [](size_t) { return "the loss is not finite"; });
}

}  // namespace seqgrad

// The loss of hidden states: its tiles (linear_tiles.h) between checks, coefficients and the tape.
#include <algorithm>
#include <bit>

#include "engine/loss/linear_tiles.h"
#include "engine/loss/result_shape.h"
#include "engine/loss/row_report.h"
#include "engine/loss/unfinished_loss.h"
#include "engine/ops/elementwise.h"

namespace seqgrad {
namespace {

template <class T>
void add_scaled(T scale, const Gradients& from, const Job& to) {
  const std::pair<Tensor, Tensor> all[] = {{from.hidden, to.hidden}, {from.weight, to.weight}, {from.bias, to.bias}};
  for (const auto& [g, x] : all)
    if (g.defined() && g.data != grad(x).data)
      kernels::axpy<T>(g.device, {scale, g.template as<T>(), grad(x).template as<T>(), g.numel()});
}

// `sizes` has batch, steps and classes: LossInputs or LiveRows.
template <class Sizes>
void check_shapes(const Tensor& hidden, const Tensor& weight, const Tensor& bias, const Sizes& sizes,
                  const LossOptions& options) {
  if (options.input == Input::probs)
    refuse(LossCode::combination, "loss: hidden states give logits; input: probs needs a softmax after them");
  const bool flat = hidden.shape.rank() == 2;
  if ((!flat && hidden.shape.rank() != 3) || weight.shape.rank() != 2 || hidden.shape[-1] != weight.shape[1] ||
      (bias.defined() && !(bias.shape == Shape{weight.shape[0]})))
    refuse(LossCode::combination,
           "loss: hidden {}, weight {} and bias {} do not fit; expected [B,T,D] or [B·T,D], [V,D] and [V]",
           hidden.shape.str(), weight.shape.str(), bias.shape.str());
  const bool steps_fit = flat ? hidden.shape[0] == sizes.batch * sizes.steps : hidden.shape[1] == sizes.steps;
  if (steps_fit && (flat || hidden.shape[0] == sizes.batch) && weight.shape[0] == sizes.classes) return;
  refuse(LossCode::shape, "loss: targets are [B={},T={}] with V={} but hidden is {} and weight {}; {}", sizes.batch,
         sizes.steps, sizes.classes, hidden.shape.str(), weight.shape.str(),
         !steps_fit                         ? "T must match (did you forget to shift or trim?)"
         : weight.shape[0] == sizes.classes ? "B must match"
                                            : fmt::format("V must be {}", sizes.classes));
}

// One call of the loss: what it computes, with the coefficients of an upstream of 1.
struct Call {
  Job job;
  RowTask* tasks;
  int64_t* groups;  // the entry of a vector loss that each row adds to
  Shape shape;
  bool wanted, vector;
};

Call make_call(const Tensor& hidden, const Tensor& weight, const Tensor& bias, const LossInputs& inputs,
               const LiveRows& rows, const LossOptions& options, double divisor) {
  check_alive("linear_sequence_loss", {hidden, weight, bias});
  check_shapes(hidden, weight, bias, rows, options);
  const Coefficients c = coefficients(rows, options, divisor);
  const auto live = static_cast<int64_t>(rows.rows.size()), count = computed_rows(rows, hidden.device);
  Tape& tape = Tape::current();
  auto *places = tape.scratch<int64_t>(count, Device::cpu), *groups = tape.scratch<int64_t>(count, Device::cpu);
  const RowRule rule = row_rule(inputs, options);
  const Shape shape = result_shape(rows, options);
  const bool wanted = tape.wants_grad({hidden, weight, bias});
  RowTask* tasks = row_tasks(rule, rows, count, wanted && shape.rank() > 0);
  const LossTile tile = loss_tile(hidden.device, rows.classes, static_cast<int64_t>(size_of(hidden.dtype)));
  for (int64_t i = 0; i < count; ++i) {
    tasks[i].offset = i % tile.rows * rows.classes;
    places[i] = -1;
    groups[i] = 0;
    if (i >= live) continue;
    const LiveRow& r = rows.rows[static_cast<size_t>(i)];
    places[i] = r.row;
    groups[i] = group_of(rows, r, options.over);
    tasks[i].coefficient = c.rows[static_cast<size_t>(i)];
  }
  return {{hidden, weight, bias, rule, tile, places, live, count}, tasks, groups, shape, wanted, shape.rank() > 0};
}

// The way back of a scalar whose gradients `g`, for an upstream of 1, exist already.
void record_scalar(Tensor& value, const Job& job, const Gradients& g, ParameterGradients when) {
  // Gradients that forward has put where they belong last until a backward begins: a second one starts those of what
  // the tape has made anew, and with them what this loss has added.
  const int64_t before = Tape::current().backwards();
  Tape::current().record(value, {job.hidden, job.weight, job.bias}, [=](const Tensor& dy) {
    with_floating(job.hidden.dtype, [&](auto zero) {
      using T = decltype(zero);
      if (when == ParameterGradients::now && (before != 0 || Tape::current().backwards() != 1 || upstream<T>(dy) != 1))
        refuse(
            "linear_sequence_loss: its parameters have their gradients already, for one backward with an upstream of "
            "1; call it with ParameterGradients::in_backward for any other");
      add_scaled<T>(upstream<T>(dy), g, job);
    });
  });
}

}  // namespace

int64_t computed_rows(const LiveRows& rows, Device device) {
  const auto live = static_cast<int64_t>(rows.rows.size());
  if (device == Device::cpu) return live;
  const auto octave = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(live)));
  const int64_t level = std::max(tile_block_rows, octave / 8);
  return (live + level - 1) / level * level;
}

LossResult linear_sequence_loss(const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                                const LossInputs& inputs, const LiveRows& rows, const LossOptions& options,
                                double divisor, ParameterGradients when) {
  const Call call = make_call(hidden, weight, bias, inputs, rows, options, divisor);
  const Job& job = call.job;
  const bool scalar_wanted = call.wanted && !call.vector;  // a vector loss learns its upstream only in backward
  const Gradients g = scalar_wanted ? gradients_of(job, when) : Gradients{};
  std::vector<RowResult> results(rows.rows.size());
  with_floating(hidden.dtype, [&](auto zero) {
    using T = decltype(zero);
    run_tiles<T>(job, call.tasks, results.data(), g, [&](int64_t first, int64_t count, const T* logits) {
      for (int64_t i = 0; i < count && first + i < job.live && !job.rule.propagate; ++i)
        if (const auto n = static_cast<size_t>(first + i); results[n].nonfinite)
          throw NonfiniteLoss(offending_logit(to_host<T>(logits + i * rows.classes, rows.classes, hidden.device).data(),
                                              rows, rows.rows[n]));
    });
  });
  LossResult out =
      finish(rows, call.tasks, results, job.rule, options, divisor, [](size_t) { return "the loss is not finite"; });
  out.value = value_tensor(out.values, call.shape, hidden);
  if (!call.vector) {
    record_scalar(out.value, job, g, when);
    return out;
  }
  Tape::current().record(out.value, {hidden, weight, bias}, [=](const Tensor& dy) {
    with_floating(hidden.dtype, [&](auto zero) {
      using T = decltype(zero);
      RowResult* unused = Tape::current().scratch<RowResult>(job.rows, Device::cpu);
      const Gradients now = gradients_of(job);
      run_tiles<T>(job, with_upstream<T>(call.tasks, call.groups, job.rows, dy), unused, now, [](auto&&...) {});
      add_scaled<T>(T{1}, now, job);
    });
  });
  if (call.wanted) save_for_backward({hidden, weight, bias});
  return out;
}

UnfinishedLoss unfinished_linear_loss(const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                                      const LossInputs& inputs, const LiveRows& rows, const LossOptions& options,
                                      double divisor, int32_t* stop) {
  Call call = make_call(hidden, weight, bias, inputs, rows, options, divisor);
  if (hidden.device == Device::cpu || call.vector)
    refuse("unfinished_linear_loss: only a scalar on a GPU can wait for its results");
  call.job.stop = stop;
  const Gradients g = call.wanted ? gradients_of(call.job, ParameterGradients::now) : Gradients{};
  UnfinishedLoss out{empty({}, hidden.dtype, hidden.device), nullptr};
  with_floating(hidden.dtype, [&](auto zero) {
    out.results = run_tiles<decltype(zero)>(call.job, call.tasks, nullptr, g, [](auto&&...) {});
  });
  record_scalar(out.value, call.job, g, ParameterGradients::now);
  return out;
}

LossResult finish_loss(const LossInputs& inputs, const LiveRows& rows, const LossOptions& options, double divisor,
                       std::span<const RowResult> results) {
  const NoGrad no_grad;
  const ArenaMark until_return(Device::cpu);
  const RowRule rule = row_rule(inputs, options);
  return finish(rows, row_tasks(rule, rows), results, rule, options, divisor,
                [](size_t) { return "the loss is not finite"; });
}

LossResult linear_sequence_loss(const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                                const LossInputs& inputs, const LossOptions& options) {
  check_options(options, inputs.classes);
  check_shapes(hidden, weight, bias, inputs, options);
  const LiveRows rows = build_live_rows(inputs, options);
  return linear_sequence_loss(hidden, weight, bias, inputs, rows, options, rows.divisor);
}

}  // namespace seqgrad

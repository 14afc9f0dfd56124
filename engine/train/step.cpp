// Forward, loss and backward of one step; the only place where the trainer meets the loss layer.
#include "engine/train/step.h"

#include <algorithm>

#include "engine/core/phases.h"
#include "engine/core/tape.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/matmul.h"
#include "engine/ops/softmax.h"
#include "engine/ops/view.h"
#include "engine/train/diverged.h"

namespace seqgrad {
namespace {

// What a loss that is not fused is computed from.
Tensor prediction(const Readout& r, Input input) {
  const int64_t batch = r.hidden.shape[0], steps = r.hidden.shape[1];
  const Tensor flat = matmul(reshape(r.hidden, {batch * steps, r.hidden.shape[2]}), r.weight, false, true);
  const Tensor logits = reshape(add(flat, r.bias), {batch, steps, r.weight.shape[0]});
  return input == Input::probs ? softmax(logits) : logits;
}

LossResult run_loss(const Readout& r, const LossInputs& inputs, const LiveRows& rows, const LossSetup& setup,
                    double divisor) {
  const Phase phase("loss");
  if (setup.fused)
    return linear_sequence_loss(r.hidden, r.weight, r.bias, inputs, rows, setup.options, divisor,
                                ParameterGradients::now);
  return sequence_loss(prediction(r, setup.options.input), inputs, rows, setup.options, divisor);
}

Tensor launch_loss(const Readout& r, const LossTasks& tasks, const LossSetup& setup, int32_t* stop) {
  if (setup.fused) return launch_linear_loss(r.hidden, r.weight, r.bias, tasks, stop);
  return launch_sequence_loss(prediction(r, setup.options.input), tasks, stop);
}

// What a loss refuses in a step, with the step and its lines. What is not finite is left to diverged().
template <class F>
auto told(uint64_t step, std::span<const Batch> batches, const F& f) {
  try {
    return f();
  } catch (const NonfiniteLoss&) {
    throw;
  } catch (const LossError& e) {
    const std::string message = fmt::format("step {}: {}; {}", step, e.what(), lines_of(batches));
    if (e.loss_code == LossCode::empty) throw Error(ExitCode::no, message);
    throw LossError(e.loss_code, message);
  }
}

// What the micro-batches of a step gave, for what is printed of it.
struct StepLosses {
  std::vector<LossSum> sums;
  std::vector<std::vector<double>> rows;  // for setup.compare

  void add_empty(const LiveRows& live, const LossSetup& setup) {
    sums.push_back(count(live, setup.options));
    rows.emplace_back();
  }
  void add(const LossResult& loss, const LossSetup& setup, StepResult& to) {
    sums.push_back(loss.sum);
    rows.push_back(setup.compare.empty() ? std::vector<double>() : whole_row_losses(loss));
    to.warnings.insert(to.warnings.end(), loss.warnings.begin(), loss.warnings.end());
  }
  void report(const LossSetup& setup, std::span<const LossInputs> inputs, StepResult& to) const {
    to.loss = report_step(sums, setup.options);
    for (const ComparedPreset& p : setup.compare) to.compared.push_back(compared(p, inputs, rows));
  }
};

// The divisor under which a micro-batch's part of a mean of means is differentiated: (D + eps)·parts − eps, so that eps
// is added once.
double micro_divisor(const LiveRows& rows, const LossOptions& options, double parts) {
  const bool plain = options.over == Over::all && !options.divide.nested();
  const double eps = plain ? options.divide_eps : 0;
  return rows.divisor == 0 ? 0 : rows.divisor * parts + eps * (parts - 1);
}

}  // namespace

static StepPlan planned(const LossSetup& setup, std::span<const Batch> batches, uint64_t step) {
  StepPlan plan;
  StepResult& result = plan.result;
  LossSum counted;  // divisors only, merged as the sums will be
  for (const Batch& batch : batches) {
    plan.inputs.push_back(loss_inputs(batch, setup));
    plan.rows.push_back(build_live_rows(plan.inputs.back(), setup.options));
    const LiveRows& rows = plan.rows.back();
    counted += count(rows, setup.options);
    result.warnings.insert(result.warnings.end(), rows.warnings.begin(), rows.warnings.end());
    result.target_tokens += batch.target_tokens();
    result.positions += batch.batch * batch.target_steps;
  }
  const bool micro = setup.options.scope == Scope::micro;
  if (!micro) share_counts(plan.rows, setup.options);
  const auto parts = static_cast<double>(batches.size());
  for (const LiveRows& rows : plan.rows)
    plan.divisors.push_back(micro ? micro_divisor(rows, setup.options, parts) : counted.divisor);
  const bool nothing = std::all_of(plan.rows.begin(), plan.rows.end(), [](const auto& r) { return r.rows.empty(); });
  if (counted.divisor == 0 || nothing) {
    if (setup.options.on_zero == OnZero::error)
      throw Error(ExitCode::no, fmt::format("step {}: no active target in this batch ({} examples)", step,
                                            batches.empty() ? 0 : batches[0].batch));
    result.skipped = true;
    result.warnings.push_back({"empty", fmt::format("step {} had no active target: no update was made", step)});
  }
  return plan;
}

StepPlan plan_step(const LossSetup& setup, std::span<const Batch> batches, uint64_t step) {
  return told(step, batches, [&] { return planned(setup, batches, step); });
}

// Differentiates one micro-batch after the other.
static void run_micro_batches(SequenceModel& model, const LossSetup& setup, const StepPlan& plan,
                              std::span<const Batch> batches, ForwardContext context, StepLosses& losses,
                              StepResult& result) {
  Tape& tape = Tape::current();
  for (size_t i = 0; i < batches.size(); ++i) {
    if (plan.rows[i].rows.empty()) {
      losses.add_empty(plan.rows[i], setup);
    } else {
      tape.reset();
      const Readout readout = model.forward(batches[i], context);
      const LossResult loss = run_loss(readout, plan.inputs[i], plan.rows[i], setup, plan.divisors[i]);
      tape.backward(loss.value);
      losses.add(loss, setup, result);
    }
    context.first_row += static_cast<uint32_t>(batches[i].batch);
  }
}

StepResult accumulate_gradients(SequenceModel& model, const LossSetup& setup, std::span<const Batch> batches,
                                ForwardContext context) {
  const StepPlan plan = plan_step(setup, batches, context.step);
  StepResult result = plan.result;
  if (result.skipped) return result;
  model.store().zero_grad();
  try {
    StepLosses losses;
    told(context.step, batches, [&] { run_micro_batches(model, setup, plan, batches, context, losses, result); });
    losses.report(setup, plan.inputs, result);
  } catch (const NonfiniteLoss& e) {
    diverged(model, batches, context, fmt::format("the loss is not finite: {}", e.what()));
  }
  return result;
}

void launch_gradients(SequenceModel& model, const LossSetup& setup, const StepPlan& plan,
                      std::span<const Batch> batches, ForwardContext context, int32_t* stop, StepGraphs& graphs,
                      const StepEnd& end, const TakeResults& take) {
  ParameterStore& store = model.store();
  Tape& tape = Tape::current();
  const auto counts = [&](size_t i) { return !plan.rows[i].rows.empty(); };
  size_t first = 0, last = batches.size() - 1;
  while (!counts(first)) ++first;
  while (!counts(last)) --last;
  for (size_t i = 0; i <= last; ++i) {
    const Batch& batch = batches[i];
    if (counts(i)) {
      tape.reset();
      StepInputs in(store.device());
      const ModelInputs inputs = model.inputs(in, batch, context);
      const LossTasks tasks(in, {store.dtype(), setup.fused, true}, plan.inputs[i], plan.rows[i], setup.options,
                            plan.divisors[i]);
      if (i == last) end.add_inputs(in);
      in.upload();
      graphs.run({{batch.batch, batch.source_steps, batch.target_steps, tasks.count, i == first, i == last,
                   static_cast<int64_t>(Tape::current().matmul_precision())},
                  in.slots(),
                  [&] {
                    if (i == first) store.zero_grad();
                    tape.backward(launch_loss(model.forward(inputs), tasks, setup, stop));
                    if (i == last) end.launch();
                  }});
      take(tasks.device_results, tasks.live);
    }
    context.first_row += static_cast<uint32_t>(batch.batch);
  }
}

StepResult collect_gradients(const LossSetup& setup, StepPlan plan, std::span<const RowResult> results) {
  StepLosses losses;
  for (size_t i = 0; i < plan.rows.size(); ++i) {
    const LiveRows& rows = plan.rows[i];
    if (rows.rows.empty()) {
      losses.add_empty(rows, setup);
      continue;
    }
    losses.add(collect_loss(plan.inputs[i], rows, setup.options, plan.divisors[i], results.first(rows.rows.size())),
               setup, plan.result);
    results = results.subspan(rows.rows.size());
  }
  losses.report(setup, plan.inputs, plan.result);
  return std::move(plan.result);
}

LossResult loss_without_gradients(SequenceModel& model, const LossSetup& setup, const LossInputs& inputs,
                                  const LiveRows& rows, const Batch& batch, const ForwardContext& context) {
  Tape::current().reset();
  const NoGrad no_grad;
  return run_loss(model.forward(batch, context), inputs, rows, setup, rows.divisor);
}

}  // namespace seqgrad

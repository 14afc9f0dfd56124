// Forward, loss and backward of one step; the only place where the trainer meets the loss layer.
#include "engine/train/step.h"

#include <algorithm>
#include <optional>

#include "engine/core/phases.h"
#include "engine/core/tape.h"
#include "engine/nn/shard_sum.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/matmul.h"
#include "engine/ops/softmax.h"
#include "engine/ops/view.h"
#include "engine/train/diverged.h"
#include "engine/train/step_by_processes.h"

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

// The divisor under which a micro-batch's part of a mean of means is differentiated: (D + eps)·parts − eps, so that eps
// is added once.
double micro_divisor(const LiveRows& rows, const LossOptions& options, double parts) {
  const bool plain = options.over == Over::all && !options.divide.nested();
  const double eps = plain ? options.divide_eps : 0;
  return rows.divisor == 0 ? 0 : rows.divisor * parts + eps * (parts - 1);
}

}  // namespace

static StepPlan planned(const LossSetup& setup, std::span<const Batch> batches, int64_t shards, uint64_t step) {
  StepPlan plan;
  StepResult& result = plan.result;
  LossSum counted;  // divisors only, merged as the sums will be
  for (const Batch& batch : batches) {
    plan.inputs.push_back(loss_inputs(batch, setup));
    plan.rows.push_back(build_live_rows(plan.inputs.back(), setup.options));
    plan.shards.push_back(deal(batch, shards));
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

StepPlan plan_step(const LossSetup& setup, std::span<const Batch> batches, int64_t shards, uint64_t step) {
  return told(step, batches, [&] { return planned(setup, batches, shards, step); });
}

namespace {

// A shard, with what it needs of its step.
struct Shard {
  const Batch& batch;
  const LossInputs& inputs;
  const LiveRows& rows;
  double divisor;
  ForwardContext context;
  int64_t index, count;  // among all shards of the step

  bool counts() const { return !rows.rows.empty(); }
  bool is_last() const { return index + 1 == count; }
};

// f(shard) of each, in order.
template <class F>
void for_each_shard(const LossSetup& setup, const StepPlan& plan, std::span<const Batch> batches,
                    ForwardContext context, const F& f) {
  int64_t index = 0, count = 0;
  for (const Dealt& dealt : plan.shards) count += std::ssize(dealt);
  for (size_t i = 0; i < batches.size(); ++i)
    for (const std::vector<int64_t>& sentences : plan.shards[i]) {
      const auto run = [&](const Batch& batch, const LossInputs& inputs, const LiveRows& rows) {
        f(Shard{batch, inputs, rows, plan.divisors[i], context, index++, count});
      };
      if (plan.shards[i].size() == 1) {
        run(batches[i], plan.inputs[i], plan.rows[i]);
      } else {
        const Batch part = index_select(batches[i], sentences);
        run(part, loss_inputs(part, setup), index_select(plan.rows[i], sentences, setup.options));
      }
      context.first_row += static_cast<uint32_t>(sentences.size());
    }
}

// Differentiates one shard of `mine` after the other; the results of their live rows.
std::vector<RowResult> run_shards(SequenceModel& model, const LossSetup& setup, const StepPlan& plan,
                                  std::span<const Batch> batches, const ForwardContext& context, ShardRange mine) {
  ParameterStore& store = model.store();
  Tape& tape = Tape::current();
  std::vector<RowResult> results;
  for_each_shard(setup, plan, batches, context, [&](const Shard& shard) {
    if (shard.index < mine.first || mine.last <= shard.index) return;
    store.zero_grad();
    if (shard.counts()) {
      tape.reset();
      const Readout readout = model.forward(shard.batch, shard.context);
      const LossResult loss = run_loss(readout, shard.inputs, shard.rows, setup, shard.divisor);
      tape.backward(loss.value);
      results.insert(results.end(), loss.results.begin(), loss.results.end());
    }
    add_shard(store, shard.index, shard.count, mine);
  });
  return results;
}

}  // namespace

StepResult accumulate_gradients(SequenceModel& model, const LossSetup& setup, std::span<const Batch> batches,
                                ForwardContext context, const Sharing& sharing) {
  StepPlan plan = plan_step(setup, batches, sharing.shards, context.step);
  if (plan.result.skipped) return std::move(plan.result);
  const int64_t shards = std::ssize(batches) * sharing.shards;
  const auto run = [&](ShardRange mine) { return run_shards(model, setup, plan, batches, context, mine); };
  try {
    return told(context.step, batches, [&] {
      const auto results =
          sharing.processes ? run_by_processes(model.store(), *sharing.processes, shards, run) : run({0, shards});
      return collect_gradients(setup, std::move(plan), results);
    });
  } catch (const NonfiniteLoss& e) {
    diverged(model, shards_of(batches, sharing.shards), context, fmt::format("the loss is not finite: {}", e.what()));
  }
}

void launch_gradients(SequenceModel& model, const LossSetup& setup, const StepPlan& plan,
                      std::span<const Batch> batches, ForwardContext context, int32_t* stop, StepGraphs& graphs,
                      const StepEnd& end, const TakeResults& take) {
  ParameterStore& store = model.store();
  Tape& tape = Tape::current();
  for_each_shard(setup, plan, batches, context, [&](const Shard& shard) {
    tape.reset();
    StepInputs in(store.device());
    ModelInputs inputs;
    std::optional<LossTasks> tasks;
    if (shard.counts()) {
      inputs = model.inputs(in, shard.batch, shard.context);
      tasks.emplace(in, LossTasks::Of{store.dtype(), setup.fused, true}, shard.inputs, shard.rows, setup.options,
                    shard.divisor);
    }
    if (shard.is_last()) end.add_inputs(in);
    in.upload();
    graphs.run({{shard.batch.batch, shard.batch.source_steps, shard.batch.target_steps, tasks ? tasks->count : 0,
                 static_cast<int64_t>(waiting_sums(shard.index, shard.count, {0, shard.count})), shard.is_last(),
                 static_cast<int64_t>(tape.matmul_precision())},
                in.slots(),
                [&] {
                  store.zero_grad();
                  if (tasks) tape.backward(launch_loss(model.forward(inputs), *tasks, setup, stop));
                  add_shard(store, shard.index, shard.count);
                  if (shard.is_last()) end.launch();
                }});
    if (tasks) take(tasks->device_results, tasks->live);
  });
}

// Of a micro-batch, from the results of its shards, which it takes off the front: in the order of its rows.
static std::vector<RowResult> take_results(const LiveRows& rows, const Dealt& shards,
                                           std::span<const RowResult>& results) {
  std::vector<RowResult> out(rows.rows.size());
  for (const std::vector<int64_t>& sentences : shards) {
    const std::vector<size_t> places = live_rows_of(rows, sentences);
    for (size_t i = 0; i < places.size(); ++i) out[places[i]] = results[i];
    results = results.subspan(places.size());
  }
  return out;
}

StepResult collect_gradients(const LossSetup& setup, StepPlan plan, std::span<const RowResult> results) {
  StepResult& to = plan.result;
  std::vector<LossSum> sums;                    // of each micro-batch
  std::vector<std::vector<double>> row_losses;  // for setup.compare
  for (size_t i = 0; i < plan.rows.size(); ++i) {
    const LiveRows& rows = plan.rows[i];
    if (rows.rows.empty()) {
      sums.push_back(count(rows, setup.options));
      row_losses.emplace_back();
      continue;
    }
    const LossResult loss = collect_loss(plan.inputs[i], rows, setup.options, plan.divisors[i],
                                         take_results(rows, plan.shards[i], results));
    sums.push_back(loss.sum);
    row_losses.push_back(setup.compare.empty() ? std::vector<double>() : whole_row_losses(loss));
    to.warnings.insert(to.warnings.end(), loss.warnings.begin(), loss.warnings.end());
  }
  to.loss = report_step(sums, setup.options);
  for (const ComparedPreset& p : setup.compare) to.compared.push_back(compared(p, plan.inputs, row_losses));
  return std::move(plan.result);
}

LossResult loss_without_gradients(SequenceModel& model, const LossSetup& setup, const LossInputs& inputs,
                                  const LiveRows& rows, const Batch& batch, const ForwardContext& context) {
  Tape::current().reset();
  const NoGrad no_grad;
  return run_loss(model.forward(batch, context), inputs, rows, setup, rows.divisor);
}

}  // namespace seqgrad

// One optimiser step: micro-batches to gradients under one divisor, then clipping and the update.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "engine/data/shards.h"
#include "engine/device/step_graph.h"
#include "engine/loss/launch_loss.h"
#include "engine/nn/process_sum.h"
#include "engine/train/loss_setup.h"
#include "engine/train/model.h"

namespace seqgrad {

// How the work of a step is cut, and who does which part of it.
struct Sharing {
  int64_t shards = 1;               // of each micro-batch
  ProcessSum* processes = nullptr;  // which compute the step together, with equal parameters; null: this one alone
};

struct StepResult {
  ReportedLoss loss;
  double grad_norm = 0;                      // before clipping
  bool skipped = false;                      // nothing counted: no update was made
  int64_t target_tokens = 0, positions = 0;  // real ones, and with padding
  std::vector<ReportedLoss> compared;        // of setup.compare
  std::vector<LossWarning> warnings;
};

// The gradients of all micro-batches, into those of the store. Each micro-batch is dealt to `sharing.shards` shards,
// which are computed by themselves, one after the other, and added as nn/shard_sum.h says; of several processes each
// computes some, and all have the same gradients, result or error in the end. The divisor is counted over all of them
// before the first forward pass, and what is reported is that of whole micro-batches. A loss that is not finite throws
// Error with ExitCode::no, naming lines and tensor; what a loss refuses otherwise is told with the step and the lines,
// and is an InputError but for the zero policy `error`, whose answer is ExitCode::no too.
StepResult accumulate_gradients(SequenceModel& model, const LossSetup& setup, std::span<const Batch> micro_batches,
                                ForwardContext context, const Sharing& sharing = {});

// What the host knows of a step before any of it runs.
struct StepPlan {
  std::vector<LossInputs> inputs;  // of each micro-batch
  std::vector<LiveRows> rows;
  std::vector<double> divisors;
  std::vector<Dealt> shards;
  StepResult result;  // all that does not depend on losses
};
// `step` is what errors name.
StepPlan plan_step(const LossSetup& setup, std::span<const Batch> micro_batches, int64_t shards, uint64_t step);

// What ends a step on a GPU, in one graph with the last shard: clipping and the update.
struct StepEnd {
  std::function<void(StepInputs&)> add_inputs;
  std::function<void()> launch;
};
// accumulate_gradients in two halves, for a GPU. The first does not wait for the device: shards are replayed as graphs
// one by one. `take(results, count)` is called after each that counts, in order, and may have its results copied there.
// A loss that is not finite sets *stop, on the device, to 1. The second half has the results of all shards, and throws
// NonfiniteLoss for a loss that is not finite. The plan counts some row.
using TakeResults = std::function<void(const RowResult* results, int64_t count)>;
void launch_gradients(SequenceModel& model, const LossSetup& setup, const StepPlan& plan,
                      std::span<const Batch> micro_batches, ForwardContext context, int32_t* stop, StepGraphs& graphs,
                      const StepEnd& end, const TakeResults& take);
StepResult collect_gradients(const LossSetup& setup, StepPlan plan, std::span<const RowResult> results);

// The loss that training differentiates, without gradients, of one batch.
LossResult loss_without_gradients(SequenceModel& model, const LossSetup& setup, const LossInputs& inputs,
                                  const LiveRows& rows, const Batch& batch, const ForwardContext& context);

}  // namespace seqgrad

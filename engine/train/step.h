// One optimiser step: micro-batches to gradients under one divisor, then clipping and the update.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/loss/compare.h"
#include "engine/loss/launch_loss.h"
#include "engine/loss_config/config.h"
#include "engine/train/model.h"

namespace seqgrad {

// The `loss` section with what it reads from files, ready for batches.
struct LossSetup {
  LossOptions options;
  int64_t classes = 0;
  bool lengths = true, mask = false, token_weight = false, example_weight = false;
  bool fused = true;
  std::optional<std::vector<double>> class_weight, prior;
  std::vector<ComparedPreset> compare;
};
LossSetup make_loss_setup(const LossConfig& config, int64_t classes);

// Refuses weights of the corpus that the loss would refuse in the middle of a run, with their line.
void check_weights(const LossSetup& setup, const Corpus& corpus);

LossInputs loss_inputs(const Batch& batch, const LossSetup& setup);

struct StepResult {
  ReportedLoss loss;
  double grad_norm = 0;                      // before clipping
  bool skipped = false;                      // nothing counted: no update was made
  int64_t target_tokens = 0, positions = 0;  // real ones, and with padding
  std::vector<ReportedLoss> compared;        // of setup.compare
  std::vector<LossWarning> warnings;
};

// Adds the gradients of all micro-batches to the (zeroed) gradients of the store. The divisor is counted over all of
// them before the first forward pass. A loss that is not finite throws Error with ExitCode::no, naming lines and
// tensor; what a loss refuses otherwise is told with the step and the lines, and is an InputError but for the zero
// policy `error`, whose answer is ExitCode::no too.
StepResult accumulate_gradients(SequenceModel& model, const LossSetup& setup, std::span<const Batch> micro_batches,
                                ForwardContext context);

// What the host knows of a step before any of it runs.
struct StepPlan {
  std::vector<LossInputs> inputs;  // of each micro-batch
  std::vector<LiveRows> rows;
  std::vector<double> divisors;
  StepResult result;  // all that does not depend on losses
};
// `step` is what errors name.
StepPlan plan_step(const LossSetup& setup, std::span<const Batch> micro_batches, uint64_t step);

// accumulate_gradients in two halves, for a GPU. The first does not wait for the device: the micro-batches are repeated
// as graphs one by one, the last with what `end` asks of the device when all gradients are there. `take(results,
// count)` is called after each, in order, and may have its results copied there. A loss that is not finite sets *stop,
// on the device, to 1. The second half has the results of all micro-batches, and throws NonfiniteLoss for a loss that
// is not finite.
using TakeResults = std::function<void(const RowResult* results, int64_t count)>;
void begin_gradients(SequenceModel& model, const LossSetup& setup, const StepPlan& plan,
                     std::span<const Batch> micro_batches, ForwardContext context, int32_t* stop,
                     const std::function<void()>& end, const TakeResults& take);
StepResult finish_gradients(const LossSetup& setup, StepPlan plan, std::span<const RowResult> results);

// Ends a step whose numbers are not finite: throws Error with ExitCode::no that names the step, `why`, the first bad
// tensor (a parameter, a gradient or what a layer gave) and the lines of the batches.
[[noreturn]] void diverged(SequenceModel& model, std::span<const Batch> micro_batches, ForwardContext context,
                           const std::string& why);

// The loss that training differentiates, without gradients, of one batch.
LossResult loss_without_gradients(SequenceModel& model, const LossSetup& setup, const LossInputs& inputs,
                                  const LiveRows& rows, const Batch& batch, const ForwardContext& context);

}  // namespace seqgrad

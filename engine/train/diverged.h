// What is said of a step whose numbers are not finite.
#pragma once
#include <span>
#include <string>

#include "engine/train/model.h"

namespace seqgrad {

// Ends a step whose numbers are not finite: throws Error with ExitCode::no that names the step, `why`, the first bad
// tensor (a parameter, a gradient or what a layer gave) and the lines of the batches.
[[noreturn]] void diverged(SequenceModel& model, std::span<const Batch> micro_batches, ForwardContext context,
                           const std::string& why);

// "training lines 3, 8, 5": the first eight.
std::string lines_of(std::span<const Batch> batches);

}  // namespace seqgrad

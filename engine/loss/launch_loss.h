// The loss of a GPU for a caller that does not want to wait for it.
#pragma once
#include <span>

#include "engine/loss/loss_tasks.h"
#include "engine/loss/sequence_loss.h"

namespace seqgrad {

// linear_sequence_loss and sequence_loss without their end: the value is good for backward, but its number is not
// filled in, and the results of the live rows stay on the GPU, in tasks.device_results, for collect_loss. Hidden states
// and parameters have their gradients `now`, logits are overwritten by theirs. A row that is not finite sets *stop, on
// the GPU, to 1. Scalars only.
Tensor launch_linear_loss(const Tensor& hidden, const Tensor& weight, const Tensor& bias, const LossTasks& tasks,
                          int32_t* stop);
Tensor launch_sequence_loss(Tensor&& prediction, const LossTasks& tasks, int32_t* stop);
LossResult collect_loss(const LossInputs& inputs, const LiveRows& rows, const LossOptions& options, double divisor,
                        std::span<const RowResult> results);

}  // namespace seqgrad

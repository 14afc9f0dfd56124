// The loss of a GPU for a caller that does not want to wait for it.
#pragma once
#include <span>

#include "engine/loss/row_loss.h"
#include "engine/loss/sequence_loss.h"

namespace seqgrad {

// How many rows the fused loss computes on a device. On a GPU the number of live ones is rounded up to one of eight
// between a power of two and the next, with rows that count nothing, so that many steps do the same. It is a function
// of that number alone: cuBLAS may sum in another order for another height, and padding is to change no bit.
int64_t computed_rows(const LiveRows& rows, Device device);

// linear_sequence_loss and sequence_loss without their end: `value` is good for backward, but its number is not filled
// in, and the results of the live rows stay on the GPU until the tape's reset, for collect_loss. Hidden states and
// parameters have their gradients `now`, logits are overwritten by theirs. A row that is not finite sets *stop, on the
// GPU, to 1. Scalars only.
struct LaunchedLoss {
  Tensor value;
  const RowResult* results = nullptr;
};
LaunchedLoss launch_linear_loss(const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                                const LossInputs& inputs, const LiveRows& rows, const LossOptions& options,
                                double divisor, int32_t* stop);
LaunchedLoss launch_sequence_loss(Tensor&& prediction, const LossInputs& inputs, const LiveRows& rows,
                                  const LossOptions& options, double divisor, int32_t* stop);
LossResult collect_loss(const LossInputs& inputs, const LiveRows& rows, const LossOptions& options, double divisor,
                        std::span<const RowResult> results);

}  // namespace seqgrad

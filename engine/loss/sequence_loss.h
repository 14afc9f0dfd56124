// The sequence loss of logits or probabilities, and of hidden states through a fused output projection.
#pragma once
#include <algorithm>
#include <vector>

#include "engine/loss/errors.h"
#include "engine/loss/live_rows.h"
#include "engine/loss/prediction.h"
#include "engine/loss/reduction.h"
#include "engine/loss/row_result.h"

namespace seqgrad {

struct LossResult {
  Tensor value;                              // scalar, [B], [T] or [B,T]; in the dtype of the logits
  std::vector<double> values;                // the same in float64
  std::vector<double> numerators, divisors;  // of each entry, before `then` folds them
  std::vector<double> row_loss;              // ℓ of each live row, before ω and without z-loss
  std::vector<double> row_z;                 // ζ·λ² of each live row
  std::vector<uint8_t> correct;              // of each live row: the first maximum of the logits is the target
  LossSum sum;
  std::vector<LossWarning> warnings;
  std::vector<RowResult> results;  // of each live row, what all of the above follows from
};

// Softmax cross entropy of live rows, reduced as `options` say, of logits or (options.input) of probabilities. Dead
// rows of the prediction are never read and get gradient +0. `divisor` is the scalar's divisor, when it was counted
// over more than this batch; else rows.divisor. Errors: E01 (shape), E12, E10 (non-finite live rows), E13, E16.
LossResult sequence_loss(const Tensor& prediction, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, Layout layout = Layout::batch);
LossResult sequence_loss(const Tensor& prediction, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, double divisor, Layout layout = Layout::batch);

// The same with the logits' own memory as the gradient's: the handle is consumed, and nothing else may read it.
LossResult sequence_loss(Tensor&& prediction, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, double divisor, Layout layout = Layout::batch);

// TF1's form: one prediction [B,V] for each step. Errors also: E03 (their number), E17 (none).
LossResult sequence_loss(const std::vector<Tensor>& steps, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, double divisor);

// Targets, mask or weights that come as T arrays [B], or time-major (one array [T·B]), as LossInputs want them: [B,T].
// Throws E03 and E01, naming `what`; `steps` is the number of predictions.
template <class T>
std::vector<T> from_steps(const std::vector<std::vector<T>>& arrays, int64_t batch, int64_t steps, const char* what) {
  if (static_cast<int64_t>(arrays.size()) != steps)
    refuse(LossCode::step_counts, "loss: logits has {} steps, {} {}", steps, what, arrays.size());
  std::vector<T> out(static_cast<size_t>(batch * steps));
  for (int64_t t = 0; t < steps; ++t) {
    const auto& step = arrays[static_cast<size_t>(t)];
    if (static_cast<int64_t>(step.size()) != batch)
      refuse(LossCode::shape, "loss: {}.{} has {} entries; expected [B={}]", what, t, step.size(), batch);
    for (int64_t b = 0; b < batch; ++b) out[static_cast<size_t>(b * steps + t)] = step[static_cast<size_t>(b)];
  }
  return out;
}
template <class T>
std::vector<T> from_time_major(const std::vector<T>& values, int64_t batch, int64_t steps, int64_t width = 1) {
  std::vector<T> out(values.size());
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t t = 0; t < steps; ++t)
      std::copy_n(values.begin() + (t * batch + b) * width, width, out.begin() + (b * steps + t) * width);
  return out;
}

// When hidden states, weight and bias of the fused loss get their gradients. `now`: in forward, straight into where
// they belong, which saves [N,D] and [V,D] of memory and passes over them; for a caller that runs backward once, with
// an upstream of 1 (anything else is refused then). A loss that throws may have added part of them. Vector losses have
// theirs in backward anyway.
enum class ParameterGradients { in_backward, now };

// The loss of logits = hidden·Wᵀ + bias, which never exist as a whole: live rows are gathered into tiles of a fixed
// height, so that results depend neither on padding nor on the thread count. Errors also: E17 (widths that do not fit).
LossResult linear_sequence_loss(const Tensor& hidden /*[B,T,D] or [B·T,D]*/, const Tensor& weight /*[V,D]*/,
                                const Tensor& bias /*[V] or none*/, const LossInputs& inputs, const LiveRows& rows,
                                const LossOptions& options, double divisor,
                                ParameterGradients when = ParameterGradients::in_backward);

// In one call: live rows are built after the prediction's shape was checked, so that errors come in the order of the
// README.md, Errors (options, shapes, lengths, weights, ids, values).
LossResult sequence_loss(const Tensor& prediction, const LossInputs& inputs, const LossOptions& options,
                         Layout layout = Layout::batch);
LossResult sequence_loss(const std::vector<Tensor>& steps, const LossInputs& inputs, const LossOptions& options);
LossResult linear_sequence_loss(const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                                const LossInputs& inputs, const LossOptions& options);

}  // namespace seqgrad

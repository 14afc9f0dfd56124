// The sequence loss of logits, and of hidden states through a fused output projection.
#pragma once
#include <vector>

#include "engine/core/tape.h"
#include "engine/loss/live_rows.h"
#include "engine/loss/reduction.h"

namespace seqgrad {

enum class Layout { batch, time };  // logits are [B,T,V] or [T,B,V]

struct LossResult {
  Tensor value;                  // scalar, [B], [T] or [B,T]; in the dtype of the logits
  std::vector<double> values;    // the same in float64
  std::vector<double> row_loss;  // ℓ of each live row, before ω and without z-loss
  std::vector<uint8_t> correct;  // of each live row: the first maximum of the logits is the target
  LossSum sum;
};

// Softmax cross entropy of live rows, reduced as `options` say. Dead rows of the logits are never read and get gradient
// +0. `divisor` is the scalar's divisor, when it was counted over more than this batch; else rows.divisor.
// Errors: E01 (shape), E10 (non-finite live rows), E13.
LossResult sequence_loss(const Tensor& logits, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, Layout layout = Layout::batch);
LossResult sequence_loss(const Tensor& logits, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, double divisor, Layout layout = Layout::batch);

// The same with the logits' own memory as the gradient's: the handle is consumed, and nothing else may read it.
LossResult sequence_loss(Tensor&& logits, const LossInputs& inputs, const LiveRows& rows, const LossOptions& options,
                         double divisor, Layout layout = Layout::batch);

// The loss of logits = hidden·Wᵀ + bias, which never exist as a whole: live rows are gathered into tiles of a fixed
// height, so that results depend neither on padding nor on the thread count. Scalar losses only.
LossResult linear_sequence_loss(const Tensor& hidden /*[B,T,D]*/, const Tensor& weight /*[V,D]*/,
                                const Tensor& bias /*[V] or none*/, const LossInputs& inputs, const LiveRows& rows,
                                const LossOptions& options, double divisor);

}  // namespace seqgrad

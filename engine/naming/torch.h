// A loss in lines of PyTorch: what a report tells its reader to write.
#pragma once
#include <string>

#include "engine/loss/options.h"
#include "engine/naming/batch.h"

namespace seqgrad {

// What the function is given, beside what the options say of it.
struct TorchInputs {
  PredictionKind kind = PredictionKind::logits;
  bool token_weight = false, example_weight = false, class_weight = false;
  bool bias = false;       // of the output projection, beside hidden states and its weight
  bool num_items = false;  // the divisor over all micro-batches is an argument, and stands where a count would
  bool guarded = false;    // a divisor of 0 gives 0 where the options say so
};

// One line, a reduction of `nll` [B,T]: "(nll * mask).sum() / mask.sum()".
std::string torch_of(const LossOptions& options, const TorchInputs& inputs);
// With the weights that its divisor names.
std::string torch_of(const LossOptions& options);

// All lines, from the prediction on; "" where a few lines do not do it.
std::string torch_lines(const LossOptions& options, const TorchInputs& inputs);

}  // namespace seqgrad

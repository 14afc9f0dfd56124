// Presets beside the loss (`loss.compare`): what other reductions make of the same row losses, without a second look at
// the logits.
#pragma once
#include <string>
#include <vector>

#include "engine/loss/sequence_loss.h"

namespace seqgrad {

struct ComparedPreset {
  std::string name;
  LossOptions options;  // the loss's own row loss with the preset's reduction; a vector is folded to its mean
};

// `loss` are the options of the loss itself. Throws E14 for a preset whose row loss is another one.
std::vector<ComparedPreset> compared_presets(const std::vector<std::string>& names, const LossOptions& loss,
                                             bool class_weights);

// The preset's sum for the batch that `result` was computed from; sums of batches merge as losses do, and for presets
// of scope micro their values are averaged.
LossSum compared(const ComparedPreset& preset, const LossInputs& inputs, const LossResult& result);

double value_of(const ComparedPreset& preset, const LossSum& sum);
// "torch.mean 2.713/tok  sum 81.2", one entry a preset.
std::string beside(const std::vector<ComparedPreset>& presets, const std::vector<LossSum>& sums);

}  // namespace seqgrad

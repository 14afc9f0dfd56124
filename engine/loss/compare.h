// Presets beside the loss (`loss.compare`): what other reductions make of the same row losses, without a second look at
// the logits.
#pragma once
#include <string>
#include <vector>

#include "engine/loss/reported.h"
#include "engine/loss/sequence_loss.h"

namespace seqgrad {

struct ComparedPreset {
  std::string name;
  LossOptions options;  // the loss's own row loss with the preset's reduction; a vector is folded to its mean
};

// `loss` are the options of the loss itself. Throws E14 for a preset whose row loss is another one.
std::vector<ComparedPreset> compared_presets(const std::vector<std::string>& names, const LossOptions& loss,
                                             bool class_weights);

// What every preset reduces: ℓ and z-loss of each live row.
std::vector<double> whole_row_losses(const LossResult& result);

// The preset for one step, from the row losses of each of its micro-batches (none where nothing counts).
ReportedLoss compared(const ComparedPreset& preset, std::span<const LossInputs> micro_batches,
                      std::span<const std::vector<double>> row_losses);
// Adds a batch of a data set.
void add_compared(const ComparedPreset& preset, const LossInputs& inputs, const std::vector<double>& row_losses,
                  CorpusLoss& to);

// "torch.mean 2.713/tok  sum 81.200 (sum)", one entry a preset.
std::string beside(const std::vector<ComparedPreset>& presets, const std::vector<double>& values);

}  // namespace seqgrad

// The `loss` section with what it reads from files, ready for batches.
#pragma once
#include <optional>
#include <vector>

#include "engine/data/batch.h"
#include "engine/data/config.h"
#include "engine/loss/compare.h"
#include "engine/loss_config/config.h"

namespace seqgrad {

struct LossSetup {
  LossOptions options;
  int64_t classes = 0;
  bool lengths = true, mask = false, token_weight = false, example_weight = false;
  bool fused = true;
  std::optional<std::vector<double>> class_weight, prior;
  std::vector<ComparedPreset> compare;
};
LossSetup make_loss_setup(const LossConfig& config, int64_t classes);

// Refuses weights of the training text that the loss would refuse in the middle of a run, with their file and line.
void check_weights(const LossSetup& setup, const DataConfig& config, const Corpus& train);

LossInputs loss_inputs(const Batch& batch, const LossSetup& setup);

}  // namespace seqgrad

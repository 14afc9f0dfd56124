// From the public arguments to the options of a loss, through the `loss` section of a config: its names, ranges,
// presets and contradictions are looked for in one place.
#pragma once
#include "engine/api/include/seqgrad/seqgrad.h"

#include "engine/loss/options.h"
#include "engine/loss/sequence_loss.h"

namespace seqgrad {

struct LossSection {
  // Throws LossError (E11, E14, E15, E17) for what the section refuses, and for arrays that go with no option.
  explicit LossSection(const LossArguments& arguments);
  LossOptions options;
  Layout layout = Layout::batch;
};

}  // namespace seqgrad

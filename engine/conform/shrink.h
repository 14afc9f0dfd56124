// From a batch that shows a fault to the smallest one that still shows it.
#pragma once
#include <functional>

#include "engine/conform/trial.h"

namespace seqgrad {

struct ShrinkLimits {
  int rounds = 100;      // questions that `shows` may be asked
  double seconds = 0.5;  // of questions whose shape is not new
  int shapes = 6;        // new ones, for functions that are compiled for each
};

// `shows`: whether a batch shows the very same fault. Fewer examples, steps and classes; logits 0, ±1 or ln 2; targets
// 0; weights 1; as long as it does.
LossBatch shrink(LossBatch batch, const Program& program, FloatType type, const ShrinkLimits& limits,
                 const std::function<bool(const LossBatch&)>& shows);

}  // namespace seqgrad

// What a forward pass reads of a batch, in memory of the model's device.
#pragma once
#include <vector>

#include "engine/core/step_inputs.h"
#include "engine/data/batch.h"
#include "engine/ops/dropout.h"

namespace seqgrad {

struct ForwardContext;

struct ModelInputs {
  int64_t batch = 0, source_steps = 0, target_steps = 0;
  Tensor source, source_lengths;  // [B,S] and [B] i32
  Tensor target_in;               // [B,T] i32; none where the model reads words of its own
  Tensor target_lengths;          // [B] i32; none for a decoder that runs step by step
  // Of such a decoder, for each step: [B] i32.
  std::vector<Tensor> active;            // 1, and 0 after the end of the sentence
  std::vector<Tensor> words;             // in place of target_in: -1 for the model's own
  const DropoutDraw* dropout = nullptr;  // null: none
};

ModelInputs source_inputs(StepInputs& in, const Batch& batch);
// `by_step`: for a decoder that runs step by step. What is drawn (dropout, teacher forcing) is a function of the
// context and of the sentence's place in its step alone.
ModelInputs model_inputs(StepInputs& in, const Batch& batch, const ForwardContext& context, bool by_step);

}  // namespace seqgrad

// Draws of teacher forcing are made here, on the host: the graph of a step must not depend on them.
#include "engine/train/model_inputs.h"

#include "engine/core/random.h"
#include "engine/train/model.h"

namespace seqgrad {
namespace {

// Whether the word before step t is read as it stands. The last word of the counter keeps these draws apart from all
// others.
bool is_forced(const ForwardContext& context, int64_t row, int64_t t) {
  const auto r = philox({static_cast<uint32_t>(context.step), context.first_row + static_cast<uint32_t>(row),
                         static_cast<uint32_t>(t), 0x74656163},
                        {static_cast<uint32_t>(context.seed), static_cast<uint32_t>(context.seed >> 32)});
  return r[0] * 0x1p-32 < context.teacher_forcing;
}

// f(b) of each sentence of the batch: [B].
template <class F>
Tensor of_sentences(StepInputs& in, int64_t batch, const F& f) {
  std::vector<int32_t> values;
  for (int64_t b = 0; b < batch; ++b) values.push_back(f(b));
  return in.add(values, {batch});
}

}  // namespace

ModelInputs source_inputs(StepInputs& in, const Batch& batch) {
  ModelInputs x;
  x.batch = batch.batch;
  x.source_steps = batch.source_steps;
  x.target_steps = batch.target_steps;
  x.source = in.add(batch.source, {batch.batch, batch.source_steps});
  x.source_lengths = in.add(batch.source_lengths, {batch.batch});
  return x;
}

ModelInputs model_inputs(StepInputs& in, const Batch& batch, const ForwardContext& context, bool by_step) {
  ModelInputs x = source_inputs(in, batch);
  if (context.training) {
    const DropoutDraw draw{context.seed, context.step, context.first_row};
    x.dropout = in.add(std::span(&draw, 1));
  }
  const int64_t steps = batch.target_steps;
  const auto word = [&](int64_t b, int64_t t) { return batch.target_in[static_cast<size_t>(b * steps + t)]; };
  const bool mixed = context.reads_own_words();
  if (!mixed) x.target_in = in.add(batch.target_in, {batch.batch, steps});
  if (!by_step) x.target_lengths = in.add(batch.target_lengths, {batch.batch});
  for (int64_t t = 0; by_step && t < steps; ++t) {
    x.active.push_back(
        of_sentences(in, x.batch, [&](int64_t b) { return t < batch.target_lengths[static_cast<size_t>(b)] ? 1 : 0; }));
    if (mixed)
      x.words.push_back(
          of_sentences(in, x.batch, [&](int64_t b) { return t == 0 || is_forced(context, b, t) ? word(b, t) : -1; }));
  }
  return x;
}

}  // namespace seqgrad

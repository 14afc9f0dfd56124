#include "engine/conform/cells.h"

#include <algorithm>

namespace seqgrad {

std::vector<uint8_t> counted_cells(const LossInputs& in) {
  std::vector<uint8_t> counted(static_cast<size_t>(in.batch * in.steps), 1);
  for (int64_t b = 0; b < in.batch; ++b)
    for (int64_t t = 0; t < in.steps; ++t) {
      const auto n = static_cast<size_t>(b * in.steps + t);
      if (in.lengths && t >= (*in.lengths)[static_cast<size_t>(b)]) counted[n] = 0;
      if (in.mask && !(*in.mask)[n]) counted[n] = 0;
    }
  return counted;
}

std::vector<uint8_t> live_targets(const LossBatch& batch) {
  std::vector<uint8_t> live = counted_cells(batch.inputs);
  if (batch.shifts)
    for (size_t n = 0; n < live.size(); n += static_cast<size_t>(batch.inputs.steps)) live[n] = 0;
  return live;
}

std::vector<uint8_t> live_predictions(const LossBatch& batch) {
  std::vector<uint8_t> live = live_targets(batch);
  if (!batch.shifts || live.empty()) return live;
  live.erase(live.begin());  // each cell is what its right neighbour was; first columns are dead already
  live.push_back(0);
  return live;
}

int64_t live_count(const LossBatch& batch) {
  const std::vector<uint8_t> live = live_targets(batch);
  return std::count(live.begin(), live.end(), 1);
}

LossBatch rounded_to(LossBatch batch, FloatType type) {
  const auto round = [&](std::vector<double>& x) {
    for (double& value : x) value = rounded(value, type);
  };
  LossInputs& in = batch.inputs;
  for (std::vector<double>* x : {&batch.x, &batch.weight, &batch.bias, &in.dense}) round(*x);
  for (auto* x : {&in.token_weight, &in.example_weight, &in.class_weight})
    if (*x) round(**x);
  return batch;
}

}  // namespace seqgrad

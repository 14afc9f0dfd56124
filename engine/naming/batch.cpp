#include "engine/naming/batch.h"

#include <algorithm>

#include "engine/core/error.h"

namespace seqgrad {

const char* name_of(PredictionKind kind) {
  constexpr const char* names[] = {"logits", "probs", "log_probs", "hidden", "row_loss"};
  return names[static_cast<size_t>(kind)];
}

int64_t LossBatch::width() const {
  const int64_t cells = inputs.batch * inputs.steps;
  if (kind == PredictionKind::row_loss) return 1;
  if (kind != PredictionKind::hidden) return inputs.classes;
  return inputs.classes > 0 ? static_cast<int64_t>(weight.size()) / inputs.classes : cells > 0 ? 1 : 0;
}

namespace {

// [B,T,…] without its first or its last column.
template <class T>
std::vector<T> without_column(const std::vector<T>& x, int64_t batch, int64_t steps, int64_t width, bool first) {
  std::vector<T> out;
  out.reserve(x.size());
  for (int64_t b = 0; b < batch; ++b) {
    const auto row = x.begin() + (b * steps + (first ? 1 : 0)) * width;
    out.insert(out.end(), row, row + (steps - 1) * width);
  }
  return out;
}

}  // namespace

LossBatch shifted(const LossBatch& batch) {
  if (!batch.shifts) return batch;
  LossBatch out = batch;
  out.shifts = false;
  const int64_t b = batch.inputs.batch, t = batch.inputs.steps, v = batch.inputs.classes;
  if (t == 0) return out;
  LossInputs& in = out.inputs;
  in.steps = t - 1;
  out.x = without_column(batch.x, b, t, batch.width(), false);
  const auto later = [&](auto& x, int64_t width) { x = without_column(x, b, t, width, true); };
  if (!in.targets.empty()) later(in.targets, 1);
  if (!in.dense.empty()) later(in.dense, v);
  if (in.mask) later(*in.mask, 1);
  if (in.token_weight) later(*in.token_weight, 1);
  if (in.lengths)
    for (int64_t& length : *in.lengths) length = std::max<int64_t>(0, length - 1);
  return out;
}

}  // namespace seqgrad

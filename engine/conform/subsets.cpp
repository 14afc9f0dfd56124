#include "engine/conform/subsets.h"

#include <algorithm>
#include <cmath>

namespace seqgrad {
namespace {

// x [A,B,C] with these places of its middle dimension only.
template <class T>
std::vector<T> taken(const std::vector<T>& x, int64_t outer, int64_t middle, const std::vector<int64_t>& places) {
  std::vector<T> out;
  if (x.empty() || outer * middle == 0) return x;
  const int64_t inner = static_cast<int64_t>(x.size()) / (outer * middle);
  for (int64_t a = 0; a < outer; ++a)
    for (const int64_t b : places) {
      const auto from = x.begin() + (a * middle + b) * inner;
      out.insert(out.end(), from, from + inner);
    }
  return out;
}

}  // namespace

LossBatch with_examples(LossBatch b, const std::vector<int64_t>& keep) {
  LossInputs& in = b.inputs;
  const auto cut = [&](auto& x) { x = taken(x, 1, in.batch, keep); };
  cut(b.x), cut(in.targets), cut(in.dense);
  if (in.lengths) cut(*in.lengths);
  if (in.mask) cut(*in.mask);
  if (in.token_weight) cut(*in.token_weight);
  if (in.example_weight) cut(*in.example_weight);
  in.batch = static_cast<int64_t>(keep.size());
  return b;
}

LossBatch with_steps(LossBatch b, const std::vector<int64_t>& keep) {
  LossInputs& in = b.inputs;
  const auto cut = [&](auto& x) { x = taken(x, in.batch, in.steps, keep); };
  cut(b.x), cut(in.targets), cut(in.dense);
  if (in.mask) cut(*in.mask);
  if (in.token_weight) cut(*in.token_weight);
  if (in.lengths)
    for (int64_t& length : *in.lengths)
      length = std::count_if(keep.begin(), keep.end(), [&](int64_t t) { return t < length; });
  in.steps = static_cast<int64_t>(keep.size());
  return b;
}

std::optional<LossBatch> with_classes(LossBatch b, int64_t count) {
  LossInputs& in = b.inputs;
  if (b.kind == PredictionKind::row_loss || !in.dense.empty() || count >= in.classes || count < 2) return std::nullopt;
  std::vector<int64_t> keep;
  for (int64_t v = 0; v < count; ++v) keep.push_back(v);
  const int64_t cells = in.batch * in.steps;
  if (b.kind == PredictionKind::hidden)
    b.weight = taken(b.weight, 1, in.classes, keep), b.bias = taken(b.bias, 1, in.classes, keep);
  else
    b.x = taken(b.x, cells, in.classes, keep);
  if (in.class_weight) in.class_weight = taken(*in.class_weight, 1, in.classes, keep);
  for (int64_t& y : in.targets)
    if (y >= 0 && y < in.classes) y %= count;
  in.classes = count;
  const bool probs = b.kind == PredictionKind::probs, logs = b.kind == PredictionKind::log_probs;
  for (size_t at = 0; (probs || logs) && at < b.x.size(); at += static_cast<size_t>(count)) {
    double sum = 0;
    for (size_t v = at; v < at + static_cast<size_t>(count); ++v) sum += logs ? std::exp(b.x[v]) : b.x[v];
    for (size_t v = at; v < at + static_cast<size_t>(count); ++v) b.x[v] = logs ? b.x[v] - std::log(sum) : b.x[v] / sum;
  }
  return b;
}

}  // namespace seqgrad

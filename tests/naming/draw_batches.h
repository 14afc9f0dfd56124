// Ragged batches that tell losses apart, from a seed.
#pragma once
#include <cmath>

#include "engine/core/random.h"
#include "engine/loss/presets.h"
#include "engine/naming/naming.h"

namespace seqgrad::testing {

// What a loss under test takes.
struct Takes {
  PredictionKind kind = PredictionKind::logits;
  bool mask = false;  // one with holes, instead of lengths
  bool token_weight = false, example_weight = false, class_weight = false, dense = false;
};

// What a loss of this preset takes, where token weights are part of it.
inline Takes takes_of(const Preset& p) {
  Takes takes;
  takes.token_weight = std::string(p.name).find("tf1") == 0 || std::string(p.name).find("tfa") == 0;
  takes.class_weight = p.given == Given::class_weight;
  takes.dense = p.given == Given::dense || p.row.target == Target::dense;
  if (p.row.input == Input::probs) takes.kind = PredictionKind::probs;
  return takes;
}

inline LossBatch draw_batch(Random& r, const Takes& takes) {
  LossBatch batch;
  batch.kind = takes.kind;
  LossInputs& in = batch.inputs;
  const auto below = [&](int64_t n) { return static_cast<int64_t>(r.below(static_cast<uint64_t>(n))); };
  in.batch = 2 + below(4);
  in.steps = 3 + below(6);
  in.classes = takes.kind == PredictionKind::row_loss ? 1 : 4 + below(7);
  const int64_t cells = in.batch * in.steps, v = in.classes;
  in.lengths.emplace();
  for (int64_t b = 0; b < in.batch; ++b) in.lengths->push_back(b == 0 ? 1 + below(in.steps) : below(in.steps + 1));
  if (takes.mask) {
    in.mask.emplace();
    for (int64_t n = 0; n < cells; ++n)
      in.mask->push_back(n % in.steps < (*in.lengths)[static_cast<size_t>(n / in.steps)] && (n == 0 || below(4) > 0));
    in.lengths.reset();
  }
  for (int64_t n = 0; n < cells; ++n) {
    in.targets.push_back(below(v));
    if (!takes.dense) continue;
    double sum = 0;
    for (int64_t j = 0; j < v; ++j) in.dense.push_back(r.uniform()), sum += in.dense.back();
    for (int64_t j = 0; j < v; ++j) in.dense[static_cast<size_t>(n * v + j)] /= sum;
  }
  if (takes.dense) in.targets.clear();
  const auto weights = [&](int64_t n) {
    std::vector<double> w;
    for (int64_t i = 0; i < n; ++i) w.push_back(i > 0 && below(5) == 0 ? 0 : 0.25 + 1.5 * r.uniform());
    return w;
  };
  if (takes.token_weight) in.token_weight = weights(cells);
  if (takes.example_weight) in.example_weight = weights(in.batch);
  if (takes.class_weight) {
    in.class_weight.emplace();
    for (int64_t j = 0; j < v; ++j) in.class_weight->push_back(0.25 + 1.5 * r.uniform());
  }
  const bool hidden = takes.kind == PredictionKind::hidden;
  const int64_t width = hidden ? 3 : v;
  for (int64_t i = 0; i < cells * width; ++i) batch.x.push_back(2 * r.normal());
  for (int64_t i = 0; hidden && i < v * width; ++i) batch.weight.push_back(r.normal());
  for (int64_t i = 0; hidden && i < v; ++i) batch.bias.push_back(r.normal());
  if (takes.kind == PredictionKind::row_loss)
    for (double& x : batch.x) x = std::abs(x);
  if (takes.kind != PredictionKind::probs && takes.kind != PredictionKind::log_probs) return batch;
  for (int64_t n = 0; n < cells; ++n) {
    double* p = batch.x.data() + n * v;
    double sum = 0;
    for (int64_t j = 0; j < v; ++j) sum += std::exp(p[j]);
    for (int64_t j = 0; j < v; ++j)
      p[j] = takes.kind == PredictionKind::probs ? std::exp(p[j]) / sum : p[j] - std::log(sum);
  }
  return batch;
}

inline std::vector<LossBatch> draw_batches(uint64_t seed, const Takes& takes, int count = 40) {
  Random r(seed, 7);
  std::vector<LossBatch> out;
  while (static_cast<int>(out.size()) < count) out.push_back(draw_batch(r, takes));
  return out;
}

// What `loss` answers to each.
template <class Loss>
std::vector<Observed> observe(const std::vector<LossBatch>& batches, const Loss& loss) {
  std::vector<Observed> out;
  for (const LossBatch& b : batches) out.push_back({&b, loss(b)});
  return out;
}

}  // namespace seqgrad::testing

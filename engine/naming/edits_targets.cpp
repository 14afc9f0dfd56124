// Changes of the targets, and of what is done to their distribution.
#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/naming/edits.h"

namespace seqgrad {
namespace {

bool has_ids(const Variant& x) { return !x.inputs.targets.empty() && x.kind != PredictionKind::row_loss; }

// [B,T,width] to [B,T−1,width]: without the first column, or without the last.
template <class T>
std::vector<T> cut(const std::vector<T>& x, int64_t batch, int64_t width, bool first) {
  std::vector<T> out;
  const int64_t row = batch > 0 ? static_cast<int64_t>(x.size()) / batch : 0;
  for (int64_t b = 0; b < batch; ++b) {
    const auto begin = x.begin() + b * row + (first ? width : 0);
    out.insert(out.end(), begin, begin + row - width);
  }
  return out;
}

// logits[:, :-1] beside targets[:, 1:] (by 1), or the other way round (by −1). What says who counts goes with the
// logits, or with the targets where `with_targets`.
template <int by, bool with_targets>
bool slide(Variant& x) {
  LossInputs& in = x.inputs;
  if (x.kind == PredictionKind::row_loss || in.steps < 1) return false;
  const bool logits_first = by<0, targets_first = by> 0, others_first = with_targets ? targets_first : logits_first;
  std::vector<uint8_t> mask = active_cells(in, x.options);
  in.lengths.reset();
  x.options.ignore_index.reset();
  const int64_t b = in.batch, v = in.classes;
  x.x = cut<double>(x.x, b, v, logits_first);
  if (!in.targets.empty()) in.targets = cut(in.targets, b, 1, targets_first);
  if (!in.dense.empty()) in.dense = cut(in.dense, b, v, targets_first);
  in.mask = cut(mask, b, 1, others_first);
  if (in.token_weight) in.token_weight = cut(*in.token_weight, b, 1, others_first);
  --in.steps;
  return true;
}

// Targets, mask and token weights from t + by beside the logits of t; the last step, or the first, counts no more.
template <int by>
bool shift(Variant& x) {
  LossInputs& in = x.inputs;
  if (!has_ids(x) || in.steps < 2) return false;
  const std::vector<uint8_t> mask = active_cells(in, x.options);
  const LossInputs before = in;
  in.lengths.reset();
  in.mask.emplace(mask.size(), uint8_t{0});
  x.options.ignore_index.reset();
  for (int64_t b = 0; b < in.batch; ++b)
    for (int64_t t = std::max<int64_t>(0, -by); t < std::min(in.steps, in.steps - by); ++t) {
      const auto to = static_cast<size_t>(b * in.steps + t), from = static_cast<size_t>(b * in.steps + t + by);
      (*in.mask)[to] = mask[from];
      in.targets[to] = before.targets[from];
      if (in.token_weight) (*in.token_weight)[to] = (*before.token_weight)[from];
    }
  return true;
}

// Targets alone, from t + by, rolled around.
template <int by>
bool roll(Variant& x) {
  if (!has_ids(x) || x.inputs.steps < 2) return false;
  const std::vector<int64_t> before = x.inputs.targets;
  const int64_t steps = x.inputs.steps;
  for (int64_t b = 0; b < x.inputs.batch; ++b)
    for (int64_t t = 0; t < steps; ++t)
      x.inputs.targets[static_cast<size_t>(b * steps + t)] =
          before[static_cast<size_t>(b * steps + (t + by + steps) % steps)];
  return true;
}

template <class F>
bool reorder(Variant& x, const F& place) {  // from place(b, t)
  if (!has_ids(x)) return false;
  const std::vector<int64_t> before = x.inputs.targets;
  for (int64_t b = 0; b < x.inputs.batch; ++b)
    for (int64_t t = 0; t < x.inputs.steps; ++t)
      x.inputs.targets[static_cast<size_t>(b * x.inputs.steps + t)] = before[static_cast<size_t>(place(b, t))];
  return before != x.inputs.targets;
}

template <class F>
bool each_id(Variant& x, const F& f) {
  if (!has_ids(x)) return false;
  const std::vector<int64_t> before = x.inputs.targets;
  for (int64_t& y : x.inputs.targets) y = f(y);
  return before != x.inputs.targets;
}

// An id as a float of so many bits of mantissa holds it.
int64_t rounded(int64_t y, int bits) {
  int exponent = 0;
  const double m = std::frexp(static_cast<double>(y), &exponent);
  return static_cast<int64_t>(std::ldexp(std::nearbyint(std::ldexp(m, bits)), exponent - bits));
}

bool argmax_of_prediction(Variant& x) {
  if (!has_ids(x)) return false;
  const auto v = static_cast<size_t>(x.inputs.classes);
  for (size_t n = 0; n < x.inputs.targets.size(); ++n) {
    const double* z = x.x.data() + n * v;
    x.inputs.targets[n] = std::max_element(z, z + v) - z;
  }
  return true;
}

bool argmax_of_dense(Variant& x) {
  if (x.inputs.dense.empty()) return false;
  const int64_t v = x.inputs.classes;
  x.inputs.targets.clear();
  for (auto row = x.inputs.dense.begin(); row != x.inputs.dense.end(); row += v)
    x.inputs.targets.push_back(std::max_element(row, row + v) - row);
  x.inputs.dense.clear();
  x.options.target = Target::ids;
  return true;
}

bool smooth(Variant& x, SmoothingKind kind) {
  if (x.options.smoothing == 0 || std::exchange(x.options.smoothing_kind, kind) == kind) return false;
  return kind != SmoothingKind::others || (x.inputs.classes > 1 && x.inputs.dense.empty());
}

constexpr EditGroup targets = EditGroup::targets, smoothing = EditGroup::smoothing;

const Edit target_table[] = {
    {"targets:shifted+1", "with each step's targets from the next one, which has a column less", targets, true, true,
     false, slide<1, false>},
    {"targets:shifted+1", "with targets rolled to the step before", targets, true, true, false, roll<1>},
    {"targets:shifted-1", "with each step's targets from the one before, which has a column less", targets, true, true,
     false, slide<-1, false>},
    {"targets:shifted-1", "with targets rolled to the next step", targets, true, true, false, roll<-1>},
    {"logits:shifted-1", "with each step's logits beside the next one's targets, mask and weights", targets, true, true,
     false, slide<1, true>},
    {"logits:shifted+1", "with each step's logits beside the last one's targets, mask and weights", targets, true, true,
     false, slide<-1, true>},
    {"logits:shifted-1", "with targets shifted one step to the left", targets, true, true, false, shift<1>, anywhere},
    {"logits:shifted+1", "with targets shifted one step to the right", targets, true, true, false, shift<-1>, anywhere},
    {"targets:examples_reversed", "with the sentences' targets in the opposite order", targets, true, true, false,
     [](Variant& x) {
       return reorder(x, [&](int64_t b, int64_t t) { return (x.inputs.batch - 1 - b) * x.inputs.steps + t; });
     }},
    {"targets:time_reversed", "with the targets of each sentence backwards, padding first", targets, true, true, false,
     [](Variant& x) {
       return reorder(x, [&](int64_t b, int64_t t) { return b * x.inputs.steps + x.inputs.steps - 1 - t; });
     }},
    {"targets:transposed", "with targets read as [T,B] where they are [B,T]", targets, true, true, false,
     [](Variant& x) { return reorder(x, [&](int64_t b, int64_t t) { return t * x.inputs.batch + b; }); }},
    {"targets:plus_one", "with every id one too high", targets, true, true, false,
     [](Variant& x) { return each_id(x, [&](int64_t y) { return (y + 1) % x.inputs.classes; }); }},
    {"targets:minus_one", "with every id one too low", targets, true, true, false,
     [](Variant& x) { return each_id(x, [&](int64_t y) { return (y + x.inputs.classes - 1) % x.inputs.classes; }); }},
    {"targets:cast", "with ids cast to bfloat16, which holds them up to 256", targets, true, true, false,
     [](Variant& x) { return each_id(x, [](int64_t y) { return rounded(y, 8); }); }},
    {"targets:cast", "with ids cast to float16, which holds them up to 2048", targets, true, true, false,
     [](Variant& x) { return each_id(x, [](int64_t y) { return rounded(y, 11); }); }},
    {"targets:argmax", "with the most likely class for the target", targets, true, true, false, argmax_of_prediction},
    {"targets:dense_argmax", "with dense targets taken for their largest class", targets, true, true, false,
     argmax_of_dense, anywhere},
    {"targets:dense_normalized", "with dense rows divided by their sum", targets, true, true, false,
     [](Variant& x) {
       return !x.inputs.dense.empty() && std::exchange(x.options.dense_sum, DenseSum::normalize) != DenseSum::normalize;
     },
     anywhere},
    {"smoothing:dropped", "with the smoothing left out", smoothing, true, false, false,
     [](Variant& x) { return std::exchange(x.options.smoothing, 0.0) != 0; }, anywhere},
    {"smoothing:kind", "with smoothing over all classes (uniform)", smoothing, true, false, false,
     [](Variant& x) { return smooth(x, SmoothingKind::uniform); }, anywhere},
    {"smoothing:kind", "with smoothing over the other classes (others)", smoothing, true, false, false,
     [](Variant& x) { return smooth(x, SmoothingKind::others); }, anywhere},
    {"smoothing:kl", "with the entropy of the smoothed target taken off (kl)", smoothing, true, false, false,
     [](Variant& x) { return x.options.smoothing > 0 && !std::exchange(x.options.report_kl, true); }, anywhere},
    {"smoothing:kl", "without taking off the entropy of the smoothed target (ce)", smoothing, true, false, false,
     [](Variant& x) { return x.options.smoothing > 0 && std::exchange(x.options.report_kl, false); }, anywhere},
};

}  // namespace

std::span<const Edit> target_edits() { return target_table; }

}  // namespace seqgrad

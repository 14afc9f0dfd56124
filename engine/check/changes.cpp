// The table of changes.
#include "engine/check/changes.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/naming/variant.h"

namespace seqgrad {
namespace {

// Each step's logits against the targets, mask and weights of another step: targets[:, 1:] beside logits[:, :-1], or
// the other way round.
bool shift(CaseVariant& x, int64_t by) {
  if (x.inputs.steps < 2 || x.inputs.targets.empty()) return false;
  const std::vector<uint8_t> m = active_cells(x.inputs, x.options);
  const LossInputs before = x.inputs;
  x.inputs.lengths.reset();
  x.inputs.mask.emplace(m.size(), uint8_t{0});
  x.options.ignore_index.reset();
  for (int64_t b = 0; b < before.batch; ++b)
    for (int64_t t = 0; t < before.steps; ++t) {
      const int64_t from = t + by;
      if (from < 0 || from >= before.steps) continue;
      const auto to = static_cast<size_t>(b * before.steps + t), n = static_cast<size_t>(b * before.steps + from);
      (*x.inputs.mask)[to] = m[n];
      x.inputs.targets[to] = before.targets[n];
      if (x.inputs.token_weight) (*x.inputs.token_weight)[to] = (*before.token_weight)[n];
    }
  return true;
}

bool softmax_first(const CaseInputs& in, CaseVariant& x) {
  if (in.hidden || in.row_loss || in.options.input == Input::probs) return false;
  const auto v = static_cast<size_t>(in.loss.classes);
  for (size_t row = 0; row + v <= x.arrays.x.size(); row += v) {
    double* z = x.arrays.x.data() + row;
    const double top = *std::max_element(z, z + v);
    double sum = 0;
    for (size_t j = 0; j < v; ++j) sum += z[j] = std::exp(z[j] - top);
    for (size_t j = 0; j < v; ++j) z[j] /= sum;
  }
  return true;
}

bool smooth(CaseVariant& x, SmoothingKind kind) {
  if (x.options.smoothing == 0 || std::exchange(x.options.smoothing_kind, kind) == kind) return false;
  return kind != SmoothingKind::others || x.inputs.classes > 1;
}

template <class T>
bool drop(std::optional<T>& x) {
  const bool there = x.has_value();
  x.reset();
  return there;
}

bool drop(double& x) { return std::exchange(x, 0.0) != 0; }

using C = const LossCase&;
using I = const CaseInputs&;

const Change table[] = {
    {"with the token weights left out", [](C, I, CaseVariant& x) { return drop(x.inputs.token_weight); }},
    {"with the example weights left out", [](C, I, CaseVariant& x) { return drop(x.inputs.example_weight); }},
    {"with all weights left out",
     [](C, I, CaseVariant& x) {
       const bool examples = drop(x.inputs.example_weight);
       return drop(x.inputs.token_weight) && examples;
     }},
    {"with the class weights left out", [](C, I, CaseVariant& x) { return drop(x.inputs.class_weight); }},
    {"with class weights of the other scope",
     [](C, I, CaseVariant& x) {
       ClassScope& s = x.options.class_scope;
       s = s == ClassScope::target ? ClassScope::per_class : ClassScope::target;
       return x.inputs.class_weight.has_value() && x.options.smoothing > 0;
     }},
    {"with the smoothing left out", [](C, I, CaseVariant& x) { return drop(x.options.smoothing); }},
    {"with smoothing over all classes (uniform)",
     [](C, I, CaseVariant& x) { return smooth(x, SmoothingKind::uniform); }},
    {"with smoothing over the other classes (others)",
     [](C, I, CaseVariant& x) { return smooth(x, SmoothingKind::others); }},
    {"with the entropy of the smoothed target taken off (kl)",
     [](C, I, CaseVariant& x) { return x.options.smoothing > 0 && !std::exchange(x.options.report_kl, true); }},
    {"without taking off the entropy of the smoothed target (ce)",
     [](C, I, CaseVariant& x) { return x.options.smoothing > 0 && std::exchange(x.options.report_kl, false); }},
    {"with the lengths left out", [](C, I, CaseVariant& x) { return drop(x.inputs.lengths); }},
    {"with the mask left out", [](C, I, CaseVariant& x) { return drop(x.inputs.mask); }},
    {"with ignore_index left out", [](C, I, CaseVariant& x) { return drop(x.options.ignore_index); }},
    {"with every position counted",
     [](C, I, CaseVariant& x) {
       const bool dropped[] = {drop(x.inputs.lengths), drop(x.inputs.mask), drop(x.options.ignore_index)};
       return std::count(std::begin(dropped), std::end(dropped), true) > 1;
     }},
    {"with id 0 ignored",
     [](C, I in, CaseVariant& x) {
       return !in.row_loss && !x.inputs.targets.empty() && std::exchange(x.options.ignore_index, 0) != 0;
     }},
    {"with targets shifted one step to the left", [](C, I, CaseVariant& x) { return shift(x, 1); }},
    {"with targets shifted one step to the right", [](C, I, CaseVariant& x) { return shift(x, -1); }},
    {"with a softmax taken twice", [](C, I in, CaseVariant& x) { return softmax_first(in, x); }},
    {"with probabilities taken for logits",
     [](C, I, CaseVariant& x) { return std::exchange(x.options.input, Input::logits) == Input::probs; }},
    {"with the logits taken for probabilities",
     [](C, I in, CaseVariant& x) {  // refused where they are none
       return !in.hidden && !in.row_loss && std::exchange(x.options.input, Input::probs) == Input::logits;
     }},
    {"with z_loss left out", [](C, I, CaseVariant& x) { return drop(x.options.z_loss); }},
    {"with the soft cap left out", [](C, I, CaseVariant& x) { return drop(x.options.softcap); }},
    {"with dense targets taken for their largest class",
     [](C, I, CaseVariant& x) {
       if (x.inputs.dense.empty()) return false;
       const int64_t v = x.inputs.classes;
       for (auto row = x.inputs.dense.begin(); row != x.inputs.dense.end(); row += v)
         x.inputs.targets.push_back(std::max_element(row, row + v) - row);
       x.options.target = Target::ids;
       return true;
     }},
    {"with dense rows divided by their sum",
     [](C, I, CaseVariant& x) {
       return x.options.target == Target::dense &&
              std::exchange(x.options.dense_sum, DenseSum::normalize) != DenseSum::normalize;
     }},
};

}  // namespace

CaseVariant unchanged(const LossCase& c, const CaseInputs& in) { return {in.loss, in.options, arrays_of(c, in), ""}; }

std::span<const Change> changes() { return table; }

}  // namespace seqgrad

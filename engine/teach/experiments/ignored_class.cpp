// Experiment 8: ignore_index takes rows out, and leaves the class in the softmax of all others.
#include <cmath>
#include <limits>

#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

std::optional<Experiment> show_ignored_class(const LessonBatch& batch) {
  LessonBatch s = reduced(batch, "active");
  if (s.options.input != Input::logits || s.inputs.targets.empty() || s.options.smoothing > 0) return std::nullopt;
  const auto v = static_cast<size_t>(s.inputs.classes);
  const std::vector<uint8_t> active = active_cells(s);
  int64_t ignored = s.options.ignore_index.value_or(-1);  // else what stands in the padding, else class 0
  for (size_t i = 0; i < active.size() && ignored < 0; ++i)
    if (!active[i] && s.inputs.targets[i] >= 0 && s.inputs.targets[i] < s.inputs.classes) ignored = s.inputs.targets[i];
  if (ignored < 0) ignored = 0;
  if (ignored >= s.inputs.classes || v < 3) return std::nullopt;
  s.options.ignore_index = ignored;
  const Outcome with = evaluate(s);
  if (with.rows.divisor == 0) return std::nullopt;
  LessonBatch without = s;
  double mass = 0, pull = 0;
  for (size_t i = 0; i < s.cells(); ++i) {
    if (!with.live[i]) continue;
    const double* z = &s.x[i * v];
    double most = z[0], sum = 0;
    for (size_t k = 0; k < v; ++k) most = std::max(most, z[k]);
    for (size_t k = 0; k < v; ++k) sum += std::exp(z[k] - most);
    mass += std::exp(z[static_cast<size_t>(ignored)] - most) / sum;
    pull += with.gradient[i * v + static_cast<size_t>(ignored)];
    without.x[i * v + static_cast<size_t>(ignored)] = -std::numeric_limits<double>::infinity();
  }
  if (mass == 0) return std::nullopt;  // the class is out already
  const Outcome removed = evaluate(without);
  const double mean_mass = mass / static_cast<double>(with.rows.rows.size());
  Experiment e;
  e.question = fmt::format(
      "ignore_index is {}. No row with that target counts. Does the model still spend probability on class {} in the "
      "rows that do count, and pay for it?",
      ignored, ignored);
  e.predict = "the loss if the class could not be said at all (its logit -inf)";
  e.prediction = removed.value();
  e.mistakes = {{with.value(), "the loss with the class in every softmax: ignoring rows does not remove a column"}};
  e.tables = {{"Rows and columns",
               {"", "loss", "mean p of the class", "its gradient, summed"},
               {{"rows with this target ignored", with.value(), mean_mass, pull},
                {"class removed from the softmax too", removed.value(), 0.0, 0.0}},
               std::nullopt}};
  e.answer = fmt::format(
      "Yes: a mean probability of {:.4g} goes to it, and the loss is {:.4f} instead of {:.4f}. A mask removes rows "
      "(who "
      "is asked); only a logit of -inf removes a column (what may be said). Models learn to keep the column low, which "
      "is why nobody notices.",
      mean_mass, with.value(), removed.value());
  return e;
}

const bool ignored_class_registered = register_experiment(
    {8, "ignored_class", "Ignoring an index does not remove the class",
     "it needs logits, three classes, ids as targets without smoothing, and a class that has probability",
     show_ignored_class});

}  // namespace
}  // namespace seqgrad

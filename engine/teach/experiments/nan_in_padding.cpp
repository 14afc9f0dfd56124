// Experiment 7: what stands in an ignored row, when the row is left out and when it is multiplied by 0.
#include <cmath>
#include <limits>

#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

std::optional<Experiment> show_nan_in_padding(const LessonBatch& batch) {
  const LessonBatch s = reduced(batch, "active");
  const std::vector<uint8_t> active = active_cells(s);
  size_t dead = 0;
  while (dead < active.size() && active[dead]) ++dead;
  if (dead == active.size() || s.options.input != Input::logits || s.inputs.targets.empty()) return std::nullopt;
  const auto v = static_cast<size_t>(s.inputs.classes), y = static_cast<size_t>(s.inputs.targets[dead]);
  if (y >= v) return std::nullopt;
  const Outcome clean = evaluate(s);
  if (clean.rows.divisor == 0) return std::nullopt;
  DataTable table{"The padding holds something",
                  {"logits of the ignored row", "row left out", "|its gradient|", "row times 0"},
                  {},
                  std::nullopt};
  const auto row = [&](const char* what, double fill, bool target_only) {
    LessonBatch poisoned = s;
    double* z = &poisoned.x[dead * v];
    if (target_only)
      z[y] = fill;
    else
      std::fill(z, z + v, fill);
    const Outcome o = evaluate(poisoned);
    double norm = 0;
    for (size_t k = 0; k < v; ++k) norm += o.gradient[dead * v + k] * o.gradient[dead * v + k];
    LessonBatch alone = unmasked(poisoned);  // the row itself, as a program has it that computes first and masks later
    alone.options.nonfinite = Nonfinite::propagate;
    alone.inputs.token_weight = std::vector<double>(s.cells(), 0.0);
    (*alone.inputs.token_weight)[dead] = 1;
    alone.inputs.example_weight.reset();
    const double loss = evaluate(reduced(alone, "one")).value();
    table.rows.push_back({what, o.value(), std::sqrt(norm), (o.sum.numerator + 0 * loss) / clean.rows.divisor});
  };
  row("zeros", 0, false);
  row("1e30 for its target", 1e30, true);
  row("NaN", nan, false);
  row("-inf for its target", -inf, true);
  Experiment e;
  e.question =
      "A row of the padding holds NaN or -inf: an overflow, an attention over nothing. Its mask is 0. Is 0 times its "
      "loss 0?";
  e.predict = "the loss of the batch when the row is left out";
  e.prediction = clean.value();
  e.tables = {std::move(table)};
  e.answer = fmt::format(
      "0·NaN is NaN, and 0·inf is NaN: multiplying cannot remove a row. Selection can: a row that does not count is "
      "never read, its gradient is +0 by definition, and the loss is {:.6g} whatever the row holds.",
      clean.value());
  return e;
}

const bool nan_in_padding_registered =
    register_experiment({7, "nan_in_padding", "NaN or -inf in an ignored row",
                         "this batch has no padding whose logits and target could be replaced", show_nan_in_padding});

}  // namespace
}  // namespace seqgrad

// Experiment 15: TensorFlow 1's sequence_loss_by_example, and the three TensorFlow 2 recipes that stand in for it.
#include <cmath>
#include <limits>

#include <fmt/ranges.h>

#include "engine/loss/presets.h"
#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

LessonBatch under(const LessonBatch& s, const std::string& name) {
  const Preset& p = preset(name);
  LessonBatch out = p.row.input == Input::probs ? with_probabilities(s) : s;
  out.upstream.clear();
  LossOptions own = options_of(p);
  out.options.over = own.over;
  out.options.divide = own.divide;
  out.options.divide_eps = own.divide_eps;
  out.options.on_zero = own.on_zero;
  out.options.probs_mode = own.probs_mode;
  out.options.then = Then::nothing;
  out.options.report = {};
  return out;
}

std::string text(const std::vector<double>& x) {
  return x.size() == 1 ? fmt::format("{:.4f}", x[0]) : fmt::format("[{:.4f}]", fmt::join(x, ", "));
}

std::optional<Experiment> show_by_example(const LessonBatch& s) {
  if (s.options.input != Input::logits || s.inputs.targets.empty() || s.options.z_loss > 0 || s.options.softcap)
    return std::nullopt;
  LessonBatch nothing = s;
  nothing.inputs.lengths = std::vector<int64_t>(static_cast<size_t>(s.inputs.batch), 0);
  DataTable table{"One batch, four functions",
                  {"function", "what it is", "returns", "when nothing counts", "in TensorFlow, then its gradient",
                   "in TensorFlow, NaN in the padding"},
                  {},
                  std::nullopt};
  const auto row = [&](const char* name, const char* what, const char* gradient, const char* poison) {
    const Outcome o = evaluate(under(s, name));
    table.rows.push_back({name, what, text(o.values), text(evaluate(under(nothing, name)).values), gradient, poison});
    return o;
  };
  const Outcome by_example = row("tf1.sequence_loss_by_example", "[B]: each sentence's weighted mean",
                                 "0 (its epsilon)", "NaN: it multiplies");
  const Outcome mean =
      row("tf2.boolean_mask_mean", "scalar: mean over real tokens", "0", "value untouched: it selects; gradient NaN");
  row("tf2.categorical_probs_mask", "scalar: the same, from clipped probabilities", "NaN", "NaN: it multiplies");
  row("tf2.sequence_mask_by_length", "scalar: sum over the sum of lengths", "NaN", "NaN: it multiplies");
  if (mean.sum.divisor == 0) return std::nullopt;
  double sum = 0;
  for (const double x : by_example.values) sum += x;
  const double batch_mean = sum / static_cast<double>(by_example.values.size());
  Experiment e;
  e.question =
      "sequence_loss_by_example is gone from TensorFlow 2. The recipes that replace it end in one number. What did the "
      "function return, and is that number at least the mean of it?";
  e.predict = "the mean of what sequence_loss_by_example returns";
  e.prediction = batch_mean;
  e.mistakes = {{mean.value(), "the mean over real tokens, which the three recipes compute: long sentences count more"},
                {sum, "the sum over sentences, not yet their mean"}};
  e.tables = {std::move(table)};
  e.numbers = {{"recipes", mean.value()}};
  e.answer = fmt::format(
      "One number a sentence, {}, whose mean is {:.4f}; the recipes give {:.4f}. They are token means: another loss, "
      "{}. And they differ among themselves where it hurts: with an empty mask, NaN in the padding, and a saturated "
      "probability.",
      text(by_example.values), batch_mean, mean.value(),
      std::abs(batch_mean - mean.value()) < 1e-12 ? "equal here only because all sentences are alike"
                                                  : "in which long sentences count more");
  return e;
}

const bool by_example_registered = register_experiment(
    {15, "by_example", "What sequence_loss_by_example returned, and what replaced it",
     "it needs logits, ids as targets and a token that counts, without z_loss and softcap", show_by_example});

}  // namespace
}  // namespace seqgrad

// Experiment 14: label smoothing spreads its mass over classes that no text can hold.
#include <cmath>

#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

constexpr double epsilon = 0.1;

// The class that stands in the last cell that does not count.
int64_t padding_class(const LessonBatch& s, const std::vector<uint8_t>& active) {
  for (size_t i = active.size(); i-- > 0;)
    if (!active[i]) return s.inputs.targets[i];
  return s.options.ignore_index.value_or(0);
}

std::optional<Experiment> show_smoothing(const LessonBatch& batch) {
  LessonBatch s = reduced(batch, "active");
  if (s.inputs.targets.empty() || s.options.input != Input::logits || s.inputs.classes < 4 || s.inputs.class_weight)
    return std::nullopt;
  const int64_t pad = padding_class(s, active_cells(s));
  if (pad < 0 || pad >= s.inputs.classes) return std::nullopt;
  s.options.report_kl = false;
  const auto v = static_cast<size_t>(s.inputs.classes), k = static_cast<size_t>(pad);
  DataTable table{fmt::format("epsilon {}", epsilon),
                  {"the mass goes to", "target", "each other class", fmt::format("class {} (padding)", pad), "loss",
                   "gradient of the padding's logit, summed"},
                  {},
                  std::nullopt};
  double uniform = 0, none = 0, excluding = 0, pull = 0;
  const auto row = [&](const char* to, double eps, SmoothingKind kind, double target, double other, double on_pad) {
    LessonBatch one = s;
    one.options.smoothing = eps;
    one.options.smoothing_kind = kind;
    one.options.smoothing_excluding = {pad};
    const Outcome o = evaluate(one);
    double sum = 0;
    for (size_t i = 0; i < one.cells(); ++i) sum += o.gradient[i * v + k];
    table.rows.push_back({to, target, other, on_pad, o.value(), sum});
    return std::pair{o.value(), sum};
  };
  const double n = static_cast<double>(v), e1 = epsilon;
  none = row("nobody", 0, SmoothingKind::uniform, 1, 0, 0).first;
  std::tie(uniform, pull) = row("all classes", e1, SmoothingKind::uniform, 1 - e1 + e1 / n, e1 / n, e1 / n);
  row("all others", e1, SmoothingKind::others, 1 - e1, e1 / (n - 1), e1 / (n - 1));
  excluding = row("all others but padding", e1, SmoothingKind::others_excluding, 1 - e1, e1 / (n - 2), 0).first;
  Experiment e;
  e.question = fmt::format(
      "Padding is masked: no row asks for class {}. With label smoothing of {}, is class {} still trained to be "
      "likely?",
      pad, epsilon, pad);
  e.predict = "the loss with the mass spread over all classes";
  e.prediction = uniform;
  e.mistakes = {{none, "the loss without smoothing"},
                {excluding, "the loss whose smoothing leaves padding out (JoeyNMT)"}};
  e.tables = {std::move(table)};
  e.answer = fmt::format(
      "{:.4f}; and yes: every row asks for {:.3g} of padding. Masks remove rows, and smoothing writes into columns, so "
      "a word that no text holds gets a target of its own. Excluding it gives {:.4f}. The three kinds are all called "
      "label smoothing, and a loss is only comparable with its own kind.",
      uniform, e1 / n, excluding);
  return e;
}

const bool smoothing_registered = register_experiment(
    {14, "smoothing", "Label smoothing puts mass on padding",
     "it needs logits, four classes, padding, and ids as targets without class weights", show_smoothing});

}  // namespace
}  // namespace seqgrad

// Experiment 13: logits taken for probabilities, probabilities for logits, and a probability that is rounded to 0.
#include <cmath>

#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

// The first live row's target made improbable: its logit `below` the row's maximum.
LessonBatch saturated(const LessonBatch& s, size_t cell, double below) {
  LessonBatch out = s;
  const auto v = static_cast<size_t>(s.inputs.classes);
  double* z = &out.x[cell * v];
  double most = z[0];
  for (size_t k = 1; k < v; ++k) most = std::max(most, z[k]);
  z[static_cast<size_t>(s.inputs.targets[cell])] = most - below;
  return out;
}

double row_norm(const LessonBatch& s, const Outcome& o, size_t cell) {
  LessonBatch one = s;
  Outcome only = o;
  std::fill(only.live.begin(), only.live.end(), uint8_t{0});
  only.live[cell] = o.live[cell];
  return gradient_norm(one, only);
}

// The same loss from probabilities, as Keras clips them.
LessonBatch clipped_probabilities(const LessonBatch& s) {
  LessonBatch probs = with_probabilities(s);
  probs.options.probs_mode = ProbsMode::renorm_clip;
  probs.options.probs_eps = 1e-7;
  return probs;
}

DataTable saturation(const LessonBatch& s, size_t cell) {
  DataTable table{
      "The first token's target made less and less probable",
      {"logit below the best", "loss from logits", "|gradient|", "loss from probabilities", "|its gradient|"},
      {},
      ChartHint{"line", 0, {1, 3}, {}}};
  for (const double below : {1.0, 8.0, 15.0, 20.0, 40.0}) {
    const LessonBatch z = saturated(s, cell, below), q = clipped_probabilities(z);
    const Outcome a = evaluate(reduced(z, "one")), b = evaluate(reduced(q, "one"));
    table.rows.push_back({below, a.row_loss[cell], row_norm(z, a, cell), b.row_loss[cell], row_norm(q, b, cell)});
  }
  return table;
}

std::vector<Cell> logits_as_probabilities(LessonBatch s) {
  s.options.input = Input::probs;
  try {
    const Outcome o = evaluate(s);
    return {"logits", "probabilities", o.value(), gradient_norm(s, o)};
  } catch (const LossError& error) {
    return {"logits", "probabilities", "refused", error.what()};
  }
}

std::optional<Experiment> show_from_logits(const LessonBatch& batch) {
  LessonBatch s = reduced(batch, "active");
  if (s.options.input == Input::probs) {  // the logits that they came from, up to a constant a row
    s.options.input = Input::logits;
    for (double& x : s.x) x = std::log(x);
  }
  if (s.inputs.targets.empty() || s.inputs.classes < 2 || s.options.z_loss > 0 || s.options.softcap ||
      s.inputs.class_weight || s.options.smoothing > 0)
    return std::nullopt;
  const Outcome right = evaluate(s);
  if (right.rows.rows.empty()) return std::nullopt;
  LessonBatch twice = with_probabilities(s);  // probabilities, read as logits: a softmax of a softmax
  twice.options.input = Input::logits;
  const Outcome flat = evaluate(twice);
  const double whole = gradient_norm(s, right);
  DataTable table{"What is handed over, and what the loss takes it for",
                  {"handed over", "taken for", "loss", "|gradient by the model's logits|"},
                  {{"logits", "logits", right.value(), whole}},
                  std::nullopt};
  const LessonBatch probs = clipped_probabilities(s);
  const Outcome p = evaluate(probs);
  const double through = gradient_norm(probs, flat);  // back through the softmax that made them
  table.rows.push_back({"probabilities", "probabilities", p.value(), gradient_norm(probs, p)});
  table.rows.push_back({"probabilities", "logits", flat.value(), through});
  table.rows.push_back(logits_as_probabilities(s));
  Experiment e;
  e.question =
      "The model ends in a softmax, and the loss was told from_logits=True. Nothing fails. What does the loss start "
      "from, and how low can it ever get?";
  e.predict = "the loss of this batch when probabilities are taken for logits";
  e.prediction = flat.value();
  e.mistakes = {{right.value(), "the loss from logits: the softmax is applied a second time"}};
  e.tables = {std::move(table), saturation(s, static_cast<size_t>(right.rows.rows[0].row))};
  const double v = static_cast<double>(s.inputs.classes);
  const double floor = std::log(std::exp(1.0) + v - 1) - 1;
  e.numbers = {{"the lowest it can get", floor}};
  e.answer = fmt::format(
      "{:.4f}. Logits between 0 and 1 say almost nothing: with {:g} classes the loss can never fall below {:.4f}, and "
      "of a gradient of {:.4f} the model's logits get {:.4f}. The other way round seqgrad refuses negative or large "
      "`probabilities`. And from real "
      "probabilities a saturated one is clipped to 1e-7: the loss stops at 16.118 and its gradient is 0, so the worst "
      "token of the batch teaches nothing.",
      flat.value(), v, floor, whole, through);
  return e;
}

const bool from_logits_registered = register_experiment(
    {13, "from_logits", "from_logits, and the saturated probability",
     "it needs ids as targets and a token that counts, without class weights, smoothing, z_loss and softcap",
     show_from_logits});

}  // namespace
}  // namespace seqgrad

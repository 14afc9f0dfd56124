// Experiment 10: a reduction is a factor on the learning rate.
#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

std::optional<Experiment> show_learning_rate(const LessonBatch& batch) {
  const LessonBatch base = reduced(batch, "active");
  const Outcome mean = evaluate(base);
  const double norm = gradient_norm(base, mean);
  if (mean.rows.divisor == 0 || norm == 0) return std::nullopt;
  DataTable table{"The same batch, the same direction",
                  {"divided by", "divisor", "loss", "|gradient|", "step of lr 1.0 is one of", "lr for the same step"},
                  {},
                  ChartHint{"bar", 0, {4}, {}}};
  double factor_of_batch = 1;
  for (const auto& [divisor, words] : {std::pair{"one", "nothing (sum)"},
                                       {"batch", "sentences"},
                                       {"active", "active tokens"},
                                       {"positions", "all cells"}}) {
    const LessonBatch s = reduced(batch, divisor);
    const Outcome o = evaluate(s);
    const double factor = gradient_norm(s, o) / norm;
    table.rows.push_back({words, o.rows.divisor, o.value(), gradient_norm(s, o), factor, 1 / factor});
    if (std::string(divisor) == "batch") factor_of_batch = factor;
  }
  Experiment e;
  e.question =
      "A recipe was tuned with the token mean and SGD. You run it in a framework that divides by the number of "
      "sentences "
      "instead. By which factor have you raised the learning rate?";
  e.predict = "the factor";
  e.prediction = factor_of_batch;
  e.mistakes = {{1 / factor_of_batch, "the inverse: the divisor became smaller, so the step became larger"},
                {1, "what no change would be: the loss is another number, and so is its gradient"}};
  e.tables = {std::move(table)};
  e.answer = fmt::format(
      "{:.4g}, the mean number of tokens a sentence. All these gradients point the same way; only their length "
      "differs. Adam divides the constant out (until clipping, weight decay or epsilon meet it); SGD and momentum do "
      "not. And it is no constant: it moves with every batch.",
      factor_of_batch);
  return e;
}

const bool learning_rate_registered =
    register_experiment({10, "learning_rate", "Every reduction is a learning rate",
                         "no token of this batch counts, or its gradient is 0", show_learning_rate});

}  // namespace
}  // namespace seqgrad

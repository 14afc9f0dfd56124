// Experiment 12: the mean of sentence means, and the mean over tokens.
#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

std::optional<Experiment> show_sentence_mean(const LessonBatch& batch) {
  const Outcome tokens = evaluate(reduced(batch, "active")),
                means = evaluate(reduced(batch, Divide{"", "active", "active_batch", 0}));
  if (tokens.rows.divisor == 0 || batch.inputs.batch < 2 || means.value() == tokens.value()) return std::nullopt;
  DataTable table{
      "What one token weighs",
      {"sentence", "tokens", "sum", "mean", "a token's weight, token mean", "a token's weight, mean of means"},
      {},
      ChartHint{"bar", 0, {4, 5}, {}}};
  for (int64_t b = 0; b < batch.inputs.batch; ++b) {
    double sum = 0, count = 0;
    for (int64_t t = 0; t < batch.inputs.steps; ++t) {
      const auto at = static_cast<size_t>(b * batch.inputs.steps + t);
      sum += tokens.weight[at] * tokens.row_loss[at];
      count += tokens.rows.rows.empty() ? 0 : active_cells(batch)[at];
    }
    if (count == 0) continue;
    table.rows.push_back(
        {fmt::format("{}", b), count, sum, sum / count, 1 / tokens.rows.divisor, 1 / (count * means.rows.divisor)});
  }
  Experiment e;
  e.question = "Which is the loss of this batch: the mean over its tokens, or the mean of its sentences' means?";
  e.predict = "the mean of the sentence means";
  e.prediction = means.value();
  e.mistakes = {{tokens.value(), "the mean over tokens: sentences have different lengths, so the two differ"},
                {evaluate(reduced(batch, "batch")).value(), "the sum over the number of sentences"}};
  e.tables = {std::move(table)};
  e.numbers = {{"token mean", tokens.value()}};
  e.answer = fmt::format(
      "{:.4f} against {:.4f} per token. A mean of means gives each sentence one vote, so a word in a short sentence "
      "pulls harder. Both are losses that people publish; the mistake is to compare them, or to call both `the mean`.",
      means.value(), tokens.value());
  return e;
}

const bool sentence_mean_registered =
    register_experiment({12, "sentence_mean", "Mean of sentence means against token mean",
                         "it needs two sentences of different lengths", show_sentence_mean});

}  // namespace
}  // namespace seqgrad

// Experiment 11: the same sentences, padded to longer and longer batches.
#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

std::optional<Experiment> show_columns(const LessonBatch& batch) {
  const std::vector<int64_t> extra = {0, 1, 2, 4, 8, 16, 32, 64};
  if (batch.inputs.steps < 1 || evaluate(reduced(batch, "active")).rows.divisor == 0) return std::nullopt;
  DataTable table{"Columns of padding added to the batch",
                  {"extra columns", "token mean", "mean over all cells", "sum / steps"},
                  {},
                  ChartHint{"line", 0, {1, 2, 3}, {}}};
  double first = 0, last = 0, tokens = 0;
  for (const int64_t k : extra) {
    const LessonBatch s = more_columns(batch, k);
    tokens = evaluate(reduced(s, "active")).value();
    last = evaluate(reduced(s, "positions")).value();
    if (k == 0) first = last;
    table.rows.push_back({static_cast<double>(k), tokens, last, evaluate(reduced(s, "steps")).value()});
  }
  Experiment e;
  e.question =
      "One long sentence joins the batch next door, and these sentences are padded to 64 columns more. Not one word of "
      "theirs changed. Does their loss?";
  e.predict = "the mean over all cells with 64 more columns";
  e.prediction = last;
  e.mistakes = {
      {first, "the mean over all cells as the batch stands, with no column more: each added cell enlarges the divisor"},
      {tokens, "the token mean, which does not see padding"}};
  e.tables = {std::move(table)};
  e.answer = fmt::format(
      "The mean over all cells falls from {:.4f} to {:.4f}, a factor of {:.3g}; the token mean stays {:.4f} to the "
      "bit. "
      "With such a divisor a sentence's weight depends on its neighbours, and sorting by length changes training.",
      first, last, first / last, tokens);
  return e;
}

const bool columns_registered = register_experiment(
    {11, "columns", "Padding contamination: 0 to 64 extra columns", "no token of this batch counts", show_columns});

}  // namespace
}  // namespace seqgrad

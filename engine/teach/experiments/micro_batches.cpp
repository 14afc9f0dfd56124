// Experiment 5: gradients accumulated over micro-batches, by a mean of means and by one divisor.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/core/random.h"
#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

// Mean of means over `parts` equal cuts of the order; parts without active tokens count as 0, as loops have it.
PartsSum mean_of_means(const LessonBatch& s, const std::vector<int64_t>& order, int64_t parts) {
  const int64_t b = s.inputs.batch;
  std::vector<std::vector<int64_t>> cuts;
  for (int64_t k = 0; k < parts; ++k)
    cuts.emplace_back(order.begin() + k * b / parts, order.begin() + (k + 1) * b / parts);
  return sum_of_parts(s, cuts, 1 / static_cast<double>(parts));
}

std::vector<int64_t> in_order(int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

double mean(const std::vector<double>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}
double spread(const std::vector<double>& x) {  // standard deviation
  double squares = 0;
  for (const double v : x) squares += (v - mean(x)) * (v - mean(x));
  return std::sqrt(squares / static_cast<double>(x.size()));
}

std::optional<Experiment> show_micro_batches(const LessonBatch& batch) {
  const LessonBatch s = reduced(batch, "active");
  const int64_t b = s.inputs.batch;
  if (b < 2) return std::nullopt;
  const Outcome whole = evaluate(s);
  if (whole.rows.divisor == 0) return std::nullopt;
  constexpr int draws = 16;
  DataTable table{"Mean of means over 16 shuffles of the sentences",
                  {"micro-batches", "loss, mean", "loss, spread", "gradient error, mean", "gradient error, spread"},
                  {},
                  ChartHint{"bar", 0, {3}, {4}}};
  double two = whole.value();
  Random random(1, 5);
  for (const int64_t parts : {int64_t{1}, int64_t{2}, int64_t{4}}) {
    if (parts > b) continue;
    std::vector<double> values, errors;
    for (int draw = 0; draw < draws; ++draw) {
      std::vector<int64_t> order = in_order(b);
      random.shuffle(order);
      const PartsSum split = mean_of_means(s, order, parts);
      values.push_back(split.value);
      errors.push_back(relative_difference(split.gradient, whole.gradient));
    }
    table.rows.push_back({fmt::format("{}", parts), mean(values), spread(values), mean(errors), spread(errors)});
    if (parts == 2) two = mean_of_means(s, in_order(b), 2).value;
  }
  Experiment e;
  e.question =
      "The batch does not fit, so it is cut into two micro-batches. Each reports its token mean; the step averages the "
      "two. Is that the loss of the batch?";
  e.predict = "the mean of the two means, sentences cut in order";
  e.prediction = two;
  e.mistakes = {{whole.value(), "the token mean of the whole batch: the parts have different numbers of tokens"}};
  e.tables = {std::move(table)};
  e.numbers = {{"one divisor", whole.value()}, {"two means, in order", two}};
  e.answer = fmt::format(
      "{:.4f}, and the batch has {:.4f}. A token of a part with few tokens weighs more, so the gradient points "
      "elsewhere "
      "and depends on how sentences fell. Count the divisor over all parts first ({:g} tokens), then each part adds "
      "its sum over that: the same gradient to rounding, for any cut.",
      two, whole.value(), whole.rows.divisor);
  return e;
}

const bool micro_batches_registered =
    register_experiment({5, "micro_batches", "Micro-batches: mean of means against one divisor",
                         "it needs two sentences, and a token that counts", show_micro_batches});

}  // namespace
}  // namespace seqgrad

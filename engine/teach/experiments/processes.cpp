// Experiment 16: one batch on one, two and four processes, by a mean of their means and by one divisor.
#include <algorithm>

#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

// Process r takes sentences r, r + count, …, as PyTorch's DistributedSampler deals them.
std::vector<std::vector<int64_t>> dealt(int64_t batch, int64_t count) {
  std::vector<std::vector<int64_t>> out(static_cast<size_t>(count));
  for (int64_t b = 0; b < batch; ++b) out[static_cast<size_t>(b % count)].push_back(b);
  return out;
}

// What a word weighs on the process where it weighs most or least, beside 1 in the batch as a whole: Z/(W·n).
struct Weights {
  double most = 0, least = 0;
};
Weights weights_of_words(const LessonBatch& s, const std::vector<std::vector<int64_t>>& parts, double total) {
  std::vector<double> all;
  for (const auto& rows : parts)
    if (const double words = evaluate(sentences(s, rows)).rows.divisor; words > 0)
      all.push_back(total / (static_cast<double>(parts.size()) * words));
  return {*std::max_element(all.begin(), all.end()), *std::min_element(all.begin(), all.end())};
}

std::optional<Experiment> show_processes(const LessonBatch& batch) {
  const LessonBatch s = reduced(batch, "active");
  const int64_t b = s.inputs.batch;
  if (b < 2) return std::nullopt;
  const Outcome whole = evaluate(s);
  const double total = whole.rows.divisor;
  if (total == 0) return std::nullopt;
  const LessonBatch shared = reduced(batch, Divide{"const", "", "", total});
  DataTable own{"Each process divides by its own words, and the gradients are averaged",
                {"processes", "loss", "gradient error", "a word weighs at most", "at least"},
                {},
                ChartHint{"bar", 0, {2}, {}}};
  DataTable one{"Each process divides by the words of all",
                {"processes", "gradients added: loss", "gradient error", "gradients averaged: loss"},
                {},
                std::nullopt};
  double two = 0;
  for (const int64_t count : {int64_t{1}, int64_t{2}, int64_t{4}}) {
    if (count > b) continue;
    const auto parts = dealt(b, count);
    const double share = 1 / static_cast<double>(count);
    const PartsSum means = sum_of_parts(s, parts, share), sums = sum_of_parts(shared, parts, 1);
    const Weights weights = weights_of_words(s, parts, total);
    const std::string name = fmt::format("{}", count);
    own.rows.push_back(
        {name, means.value, relative_difference(means.gradient, whole.gradient), weights.most, weights.least});
    one.rows.push_back({name, sums.value, relative_difference(sums.gradient, whole.gradient),
                        sum_of_parts(shared, parts, share).value});
    if (count == 2) two = means.value;
  }
  Experiment e;
  e.question =
      "Two processes share the batch: one has sentences 1, 3, …, the other 2, 4, …. Each gives the mean over its own "
      "words, and their gradients are averaged, as DistributedDataParallel does. Is that the loss of the batch?";
  e.predict = "the mean of the two processes' means";
  e.prediction = two;
  e.mistakes = {{whole.value(), "the mean over all words, which is what one process gives"},
                {whole.value() / 2, "the words of all as divisor, and then the mean of two processes: half the loss"}};
  e.tables = {std::move(own), std::move(one)};
  e.numbers = {{"one process", whole.value()}, {"two processes, two means", two}};
  e.answer = fmt::format(
      "{:.4f}, and one process gives {:.4f}. A word on a process with few of them weighs more, so another number of "
      "processes is another loss and trains another model. Count the words of all processes first ({:g}) and add the "
      "gradients: the same for any number. Where a framework averages instead, the loss must be multiplied by the "
      "number of processes, or each gradient is too small by it.",
      two, whole.value(), total);
  return e;
}

const bool processes_registered = register_experiment(
    {16, "processes", "Two processes, two means", "it needs two sentences, and a token that counts", show_processes});

}  // namespace
}  // namespace seqgrad

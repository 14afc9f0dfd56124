// Experiment 1: the loss is masked by multiplication, then averaged over every cell.
#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

std::optional<Experiment> show_padding(const LessonBatch& s) {
  const LessonBatch tokens = reduced(s, "active"), cells = reduced(s, "positions");
  const Outcome right = evaluate(tokens), wrong = evaluate(cells);
  if (right.rows.divisor == 0 || wrong.rows.divisor == right.rows.divisor) return std::nullopt;
  Experiment e;
  e.question =
      "Somebody multiplies the losses of the padding by 0 and takes the mean over everything. The sum is right. Is the "
      "mean?";
  e.predict = "the loss that this program reports";
  e.prediction = wrong.value();
  e.mistakes = {{right.value(), "the mean over the tokens that count; the zeros still stand in the divisor"},
                {right.sum.numerator, "the sum, not yet divided"}};
  e.tables = {{"One sum, two divisors",
               {"mean over", "sum", "divisor", "loss", "|gradient|"},
               {{"active tokens", right.sum.numerator, right.rows.divisor, right.value(), gradient_norm(tokens, right)},
                {"all cells", wrong.sum.numerator, wrong.rows.divisor, wrong.value(), gradient_norm(cells, wrong)}},
               ChartHint{"bar", 0, {3}, {}}}};
  const double ratio = wrong.value() / right.value();
  e.numbers = {{"ratio", ratio}};
  e.answer = fmt::format(
      "{:.4f}: a zero is still a cell. Loss and gradient are {:.4g} times what they are per token, and the factor "
      "moves "
      "with the share of padding in each batch: a learning rate that nobody chose.",
      wrong.value(), ratio);
  return e;
}

const bool padding_registered = register_experiment(
    {1, "padding", "Mask, multiply, then mean counts the padding", "this batch has no padding", show_padding});

}  // namespace
}  // namespace seqgrad

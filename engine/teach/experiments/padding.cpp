// Experiment 1: the loss is masked by multiplication, then averaged over every cell.
#include "engine/teach/experiment.h"

namespace seqgrad {
namespace {

std::optional<Experiment> run(const Specimen& s) {
  Specimen one = s;
  one.upstream.clear();
  one.options.over = Over::all;
  one.options.then = Then::nothing;
  one.options.divide = {"active", "", "", 0};
  one.options.divide_eps = 0;
  const Outcome right = evaluate(one);
  one.options.divide.flat = "positions";
  const Outcome wrong = evaluate(one);
  const double cells = wrong.rows.divisor, active = right.rows.divisor;
  if (active == 0 || cells == active) return std::nullopt;
  Experiment e;
  e.question =
      "Somebody multiplies the losses of the padding by 0 and takes the mean over everything. The sum is right. Is the "
      "mean?";
  e.predict = "the loss that this loop reports";
  e.prediction = wrong.value();
  e.mistakes = {{right.value(), "the mean over the tokens that count: zeros were taken out of the divisor as well"},
                {right.sum.numerator, "the sum, not yet divided"}};
  e.tables = {{"One sum, two divisors",
               {"mean over", "sum", "divisor", "loss", "gradient norm"},
               {{"active tokens", right.sum.numerator, active, right.value(), gradient_norm(one, right)},
                {"all cells", wrong.sum.numerator, cells, wrong.value(), gradient_norm(one, wrong)}},
               ChartHint{"bar", 0, {3}, {}}}};
  e.numbers = {{"ratio", wrong.value() / right.value()}};
  e.answer = fmt::format(
      "{:.4f}: a zero still counts as a cell. The loss and the gradient are {:.4g} times what they are per token, and "
      "the factor changes with every batch, as the share of padding does: it is a learning rate that nobody set.",
      wrong.value(), wrong.value() / right.value());
  return e;
}

const bool registered = register_experiment({1, "padding", "Mask, multiply, then mean counts the padding", run});

}  // namespace
}  // namespace seqgrad

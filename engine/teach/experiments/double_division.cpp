// Experiment 3: a mask that was normalised in one place, and a mean that is taken in another.
#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

std::optional<Experiment> show_double_division(const LessonBatch& s) {
  LessonBatch plain = s;  // the mask alone
  plain.inputs.token_weight.reset();
  const LessonBatch right_form = reduced(plain, "active");
  const Outcome right = evaluate(right_form);
  const double tokens = right.rows.divisor;
  if (tokens < 2 || right.value() == 0) return std::nullopt;
  LessonBatch twice = plain;  // the loader hands over m/Σm, so that a sum would be the mean
  twice.inputs.token_weight = std::vector<double>(s.cells(), 1 / tokens);
  const Outcome sum = evaluate(reduced(twice, "one"));
  const LessonBatch mean_form = reduced(twice, "active");
  const Outcome mean = evaluate(mean_form), cells = evaluate(reduced(twice, "positions"));
  Experiment e;
  e.question =
      "The data loader divides the mask by its sum, so that the weighted sum of losses is their mean. Later somebody "
      "tidies the loss and writes `mean` for `sum`. What does it say now?";
  e.predict = "the loss after the tidying, a mean over active tokens";
  e.prediction = mean.value();
  e.mistakes = {{right.value(), "the loss before the tidying: now it is divided once more"},
                {cells.value(), "a mean over all cells, padding included"}};
  e.tables = {
      {"Who divides",
       {"loader", "loss", "value", "|gradient|"},
       {{"mask", "sum / active tokens", right.value(), gradient_norm(right_form, right)},
        {"mask / its sum", "sum", sum.value(), gradient_norm(reduced(twice, "one"), sum)},
        {"mask / its sum", "mean over active tokens", mean.value(), gradient_norm(mean_form, mean)},
        {"mask / its sum", "mean over all cells", cells.value(), gradient_norm(reduced(twice, "positions"), cells)}},
       std::nullopt}};
  e.answer = fmt::format(
      "{:.4g}, {:g} times too little: the batch was divided by its tokens twice. The curve has the right shape and "
      "falls, so nobody looks. Divide in exactly one place, and let the mask be zeros and ones until then.",
      mean.value(), tokens);
  return e;
}

const bool double_division_registered =
    register_experiment({3, "double_division", "Mask in one place, mean in another",
                         "it needs at least two tokens that count, and a loss other than 0", show_double_division});

}  // namespace
}  // namespace seqgrad

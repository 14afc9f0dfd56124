// Experiment 2: one vector of zeros and ones, handed over once as a mask and once as a weight.
#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

std::optional<Experiment> show_mask_or_weight(const LessonBatch& s) {
  std::vector<uint8_t> active = active_cells(s);
  std::vector<double> w = s.inputs.token_weight.value_or(std::vector<double>(s.cells(), 1.0));
  for (size_t i = 0; i < w.size(); ++i)
    active[i] = active[i] && w[i] != 0;  // zeros among the weights are such a vector
  LessonBatch with_mask = unmasked(s);
  with_mask.inputs.mask = active;
  const Outcome masked = evaluate(reduced(with_mask, "active"));
  LessonBatch weighted = unmasked(s);
  for (size_t i = 0; i < w.size(); ++i) w[i] = active[i] ? w[i] : 0;
  weighted.inputs.token_weight = w;
  const Outcome by_active = evaluate(reduced(weighted, "active")), by_weight = evaluate(reduced(weighted, "weight")),
                by_nonzero = evaluate(reduced(weighted, "nonzero"));
  if (masked.rows.divisor == 0 || by_active.rows.divisor == masked.rows.divisor) return std::nullopt;
  Experiment e;
  e.question =
      "Here is a vector of zeros and ones. One person passes it as the mask, another as the sample weight of the same "
      "loss, `mean over what is not masked`. Do they train the same model?";
  e.predict = "the loss with the vector as a weight";
  e.prediction = by_active.value();
  e.mistakes = {{masked.value(), "the loss with the vector as a mask: a weight of 0 silences a token, yet it counts"},
                {masked.sum.numerator, "the sum, not yet divided"}};
  const auto row = [](const char* as, const char* divisor, const Outcome& o) {
    return std::vector<Cell>{as, divisor, o.sum.numerator, o.rows.divisor, o.value()};
  };
  e.tables = {{"The same vector",
               {"passed as", "divided by", "sum", "divisor", "loss"},
               {row("mask", "active tokens", masked), row("weight", "active tokens", by_active),
                row("weight", "tokens of weight other than 0", by_nonzero), row("weight", "sum of weights", by_weight)},
               ChartHint{"bar", 0, {4}, {}}}};
  e.answer = fmt::format(
      "{:.4f} against {:.4f}. A mask takes a token out of the sum and out of the count; a weight of 0 only out of the "
      "sum. Divisors that look at weights (their sum, or how many are not 0) give the mask's number again{}.",
      by_active.value(), masked.value(),
      by_weight.value() == by_nonzero.value() ? "" : ", as long as all other weights are 1");
  return e;
}

const bool mask_or_weight_registered =
    register_experiment({2, "mask_or_weight", "The same vector as mask and as sample weight",
                         "this batch has no padding", show_mask_or_weight});

}  // namespace
}  // namespace seqgrad

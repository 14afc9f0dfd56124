// Experiment 9: the padding id is the id of the end of the sentence, and the mask goes by ids.
#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

std::optional<Experiment> show_pad_is_eos(const LessonBatch& batch) {
  LessonBatch s = reduced(batch, "active");
  if (s.inputs.targets.empty()) return std::nullopt;
  const std::vector<uint8_t> active = active_cells(s);
  std::vector<size_t> ends;  // each sentence's last token that counts
  for (int64_t b = 0; b < s.inputs.batch; ++b)
    for (int64_t t = s.inputs.steps; t-- > 0;)
      if (const auto at = static_cast<size_t>(b * s.inputs.steps + t); active[at]) {
        ends.push_back(at);
        break;
      }
  if (ends.empty()) return std::nullopt;
  const int64_t eos = s.inputs.targets[ends[0]];
  for (const size_t at : ends)
    if (s.inputs.targets[at] != eos) return std::nullopt;  // sentences without a common end
  s.options.ignore_index.reset();
  s.inputs.mask = active;
  s.inputs.lengths.reset();
  const Outcome right = evaluate(s);
  LessonBatch by_id = s;
  by_id.options.ignore_index = eos;
  const Outcome wrong = evaluate(by_id);
  if (wrong.rows.divisor == 0) return std::nullopt;
  const auto lost = right.rows.rows.size() - wrong.rows.rows.size();
  double on_ends = 0;
  for (const size_t at : ends) on_ends += right.row_loss[at];
  Experiment e;
  e.question = fmt::format(
      "The tokeniser has no padding token, so padding is filled with the end-of-sentence id {}, and the mask is "
      "`target != {}`. What does the model never learn?",
      eos, eos);
  e.predict = "the loss with that mask";
  e.prediction = wrong.value();
  e.mistakes = {{right.value(), "the loss with the lengths as the mask: the real ends count there"}};
  e.tables = {{"Mask by length, mask by id",
               {"mask", "tokens", "sentence ends among them", "sum", "loss"},
               {{"by length", right.rows.divisor, static_cast<double>(ends.size()), right.sum.numerator, right.value()},
                {"by id", wrong.rows.divisor, 0.0, wrong.sum.numerator, wrong.value()}},
               std::nullopt}};
  e.numbers = {{"mean loss of the ends", on_ends / static_cast<double>(ends.size())}};
  e.answer = fmt::format(
      "{:.4f}: {} token{} went with the padding, among them the end of every sentence. Nothing teaches the model to "
      "stop, so it translates to the length limit, and the validation loss, masked the same way, cannot show it. Mask "
      "by length, or give padding an id of its own.",
      wrong.value(), lost, lost == 1 ? "" : "s");
  return e;
}

const bool pad_is_eos_registered =
    register_experiment({9, "pad_is_eos", "Padding with the end of the sentence",
                         "the sentences of this batch do not all end in the same id", show_pad_is_eos});

}  // namespace
}  // namespace seqgrad

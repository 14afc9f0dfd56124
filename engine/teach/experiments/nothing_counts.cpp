// Experiment 6: a batch in which every token is masked.
#include <cmath>

#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

std::optional<Experiment> show_nothing_counts(const LessonBatch& batch) {
  LessonBatch s = reduced(batch, "active");
  s.inputs.lengths = std::vector<int64_t>(static_cast<size_t>(s.inputs.batch), 0);
  if (s.cells() == 0) return std::nullopt;
  DataTable table{"Nothing counts", {"policy", "who", "loss", "|gradient|", "what a run does"}, {}, std::nullopt};
  const auto row = [&](OnZero policy, const char* name, const char* who, const char* what) {
    s.options.on_zero = policy;
    try {
      const Outcome o = evaluate(s);
      table.rows.push_back({name, who, o.value(), gradient_norm(s, o), what});
    } catch (const LossError& e) {
      table.rows.push_back({name, who, "refused", "none", e.what()});
    }
  };
  row(OnZero::zero, "zero", "TF Addons, Liger Kernel, seqgrad", "goes on; the optimiser step is skipped and counted");
  row(OnZero::nan, "nan", "PyTorch, Hugging Face, the TF2 recipes",
      "logs NaN; where 0/0 reaches the gradient the weights are NaN from then on");
  row(OnZero::error, "error", "who wants to know", "stops before the forward pass");
  Experiment e;
  e.question = "A filter removed every target of this batch. The loss is 0 divided by 0. What should it be?";
  e.predict = "the loss under seqgrad's default";
  e.prediction = 0;
  e.tables = {std::move(table)};
  e.answer =
      "0, with a gradient of exactly 0, no optimiser step and one warning: no token asks for anything. In most "
      "frameworks it is 0/0 = NaN, which poisons moments and weights for good when the mask was multiplied in. An "
      "epsilon in the divisor hides it, and makes every other batch slightly wrong.";
  return e;
}

const bool nothing_counts_registered =
    register_experiment({6, "nothing_counts", "An all-masked batch: zero, NaN or an error", "this batch has no cells",
                         show_nothing_counts});

}  // namespace
}  // namespace seqgrad

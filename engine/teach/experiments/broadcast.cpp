// Experiment 4: losses [N] times weights [N,1] are [N,N].
#include <algorithm>

#include "engine/teach/experiments/variants.h"

namespace seqgrad {
namespace {

std::optional<Experiment> show_broadcast(const LessonBatch& s) {
  const std::vector<uint8_t> active = active_cells(s);
  LessonBatch all = unmasked(s);
  std::vector<double> w = s.inputs.token_weight.value_or(std::vector<double>(s.cells(), 1.0));
  double mean = 0;
  for (size_t i = 0; i < w.size(); ++i) {
    const auto b = i / static_cast<size_t>(s.inputs.steps);
    w[i] *= active[i] * (s.inputs.example_weight ? (*s.inputs.example_weight)[b] : 1.0);
    mean += w[i] / static_cast<double>(w.size());
  }
  all.inputs.example_weight.reset();
  all.inputs.token_weight = w;
  const LessonBatch right_form = reduced(all, "positions");
  const Outcome right = evaluate(right_form);
  // mean_ij(w_i·ℓ_j) = mean(w)·mean(ℓ): every token weighs the same, the padding too.
  all.inputs.token_weight = std::vector<double>(s.cells(), mean);
  const LessonBatch wrong_form = reduced(all, "positions");
  const Outcome wrong = evaluate(wrong_form);
  if (wrong.value() == right.value()) return std::nullopt;
  const double n = static_cast<double>(s.cells());
  const bool padded = std::find(active.begin(), active.end(), uint8_t{0}) != active.end();
  Experiment e;
  e.question = fmt::format(
      "Losses come as [N] = [{0:g}], weights as [N,1] = [{0:g},1]. Their product broadcasts without a word. Its mean "
      "is "
      "the mean of how many numbers, and does any weight still belong to its token?",
      n);
  e.predict = "the mean of the broadcast product";
  e.prediction = wrong.value();
  e.mistakes = {{right.value(), "the mean of weight times its own loss, which is what was meant"},
                {wrong.value() * n, "the mean over N: the product has N·N entries"}};
  e.tables = {{"Which weight meets which loss",
               {"shapes", "entries", "mean", "|gradient|", "weights that act"},
               {{"[N] x [N]", n, right.value(), gradient_norm(right_form, right), "each its own"},
                {"[N,1] x [N]", n * n, wrong.value(), gradient_norm(wrong_form, wrong),
                 fmt::format("all {:.4g}, the mean", mean)}},
               std::nullopt}};
  e.numbers = {{"mean weight", mean}};
  e.answer = fmt::format(
      "{:.4f}, the mean of {:g} numbers: mean(w) times mean(loss). Every weight has become {:.4g}{}. seqgrad refuses "
      "it "
      "(E02): per-example weights have a name of their own.",
      wrong.value(), n * n, mean,
      padded ? "; the mask is gone, and padding trains the model like any word" : ", whatever it was meant for");
  return e;
}

const bool broadcast_registered =
    register_experiment({4, "broadcast", "Shapes that broadcast: [N,1] x [N]",
                         "it shows something only where sentences have different losses", show_broadcast});

}  // namespace
}  // namespace seqgrad

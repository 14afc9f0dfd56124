// What training asks of its config beyond each section's own checks.
#include "engine/train/config.h"

namespace seqgrad {

RunConfig::RunConfig() = default;
RunConfig::~RunConfig() = default;

void RunConfig::check(Problems& problems) const {
  if (loss.target() == "dense")
    problems.add(loss.target,
                 "training learns from ids: write target: ids (dense targets are for cases: seqgrad check)");
  if (loss.layout() != "batch")
    problems.add(loss.layout, "training has layout: batch (time and list are for the tensors of cases: seqgrad check)");
  const LossOptions o = loss.options();
  if (o.smoothing_kind == SmoothingKind::prior && loss.smoothing.prior().value.empty())
    problems.add(loss.smoothing.kind, "prior needs smoothing.prior, a file of probabilities");
  const bool class_weights = !loss.weights.classes.file().value.empty();
  if (o.divide.flat == "class_weight" && !class_weights)
    problems.add(loss.reduce.divide, "class_weight needs loss.weights.class.file");
  if (o.input == Input::probs && class_weights && o.class_scope == ClassScope::per_class)
    problems.add(loss.weights.classes.scope, "class has no meaning with input: probs; write scope: target");
  if (o.input != Input::probs && (!loss.probs.mode.is_default() || !loss.probs.eps.is_default()))
    problems.add(loss.probs.mode, "probs has a meaning only with input: probs");
}

}  // namespace seqgrad

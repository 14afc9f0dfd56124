// What training asks of its config beyond each section's own checks.
#include "engine/train/config.h"

#include "engine/config/files.h"
#include "engine/io/folder_name.h"
#include "engine/train/loss_sources.h"

namespace seqgrad {

Config::Config() = default;
Config::~Config() = default;

// "train.epochs = 5 of a.yaml:12" for what a message sets against its own place.
static std::string placed(const FieldBase& f) {
  const Source* source = f.origin.source.get();
  const std::string what = fmt::format("{} = {}", f.path(), f.yaml());
  if (!source) return what;
  return source->is_option ? fmt::format("{} of {}", what, shown(source->name))
                           : fmt::format("{} of {}:{}", what, shown_path(source->name), f.origin.line);
}

void TrainConfig::check(Problems& problems) const {
  if (!epochs() || !steps()) return;
  const auto is_option = [](const FieldBase& f) { return f.origin.source && f.origin.source->is_option; };
  const FieldBase *late = &steps, *early = &epochs;
  if (is_option(epochs) && !is_option(steps)) std::swap(late, early);
  problems.add(*late, is_option(*late) ? fmt::format("contradicts {}; write --set {}=null --set {}={}", placed(*early),
                                                     early->path(), late->path(), late->yaml())
                                       : fmt::format("contradicts {}; give one of them", placed(*early)));
}

void CheckpointConfig::check(Problems& problems) const {
  if (average() > keep_best())
    problems.add(average, fmt::format("needs checkpoint.keep_best: {}, got {}", average(), keep_best()));
}

void Config::check(Problems& problems) const {
  if (reads_files) check_files(*this, problems, has_weights ? model->first_weights() : nullptr);
  check_loss_sources(*this, problems);
  if (const std::string why = bad_folder_name(name()); !why.empty())
    problems.add(name, fmt::format("expected the name of a folder, got '{}': {}", shown(name()), why));
  if (loss.target() == "dense")
    problems.add(loss.target,
                 "training learns from ids: write target: ids (dense targets are for cases: seqgrad check)");
  if (loss.layout() != "batch")
    problems.add(loss.layout, "training has layout: batch (time and list are for the tensors of cases: seqgrad check)");
  if (!loss.is_defined()) return;  // its own check has said so
  const LossOptions o = loss.options();
  if (o.smoothing_kind == SmoothingKind::prior && loss.smoothing.prior().value.empty())
    problems.add(loss.smoothing.kind, "prior needs smoothing.prior, a file of probabilities");
  const bool class_weights = !loss.weights.classes.file().value.empty();
  if (o.divide.flat == "class_weight" && !class_weights)
    problems.add(loss.reduce.divide, "class_weight needs loss.weights.class.file");
  if (!class_weights && loss.weights.classes.scope())
    problems.add(loss.weights.classes.scope, "has no effect without loss.weights.class.file");
  if (o.input == Input::probs && class_weights && o.class_scope == ClassScope::per_class)
    problems.add(loss.weights.classes.scope, "class has no meaning with input: probs; write scope: target");
  if (o.input != Input::probs && (!loss.probs.mode.is_default() || !loss.probs.eps.is_default()))
    problems.add(loss.probs.mode, "probs has a meaning only with input: probs");
}

DecodeOptions Config::decode_options() const {
  DecodeOptions o;
  o.max_ratio = decode.max_ratio();
  o.max_extra = decode.max_extra();
  o.beam = decode.beam();
  o.length_penalty = decode.length_penalty();
  o.softcap = loss.softcap().value_or(0);
  return o;
}

}  // namespace seqgrad

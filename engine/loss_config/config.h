// The `loss` section of a config.
#pragma once
#include "engine/config/section.h"
#include "engine/loss/divisors.h"
#include "engine/loss/errors.h"
#include "engine/loss/options.h"
#include "engine/loss/presets.h"

namespace seqgrad {

// A divisor in YAML: a name, {const: k}, {const: k, times: batch} or {time: name, batch: name}.
template <>
struct Codec<Divide> {
  static std::string parse(const Node& node, Divide& value);
  static std::string yaml(const Divide& value);
  static std::string type() { return "divisor"; }
  static std::vector<std::string> examples() {
    return {"active", "{const: 4.0}", "{const: 512.0, times: batch}", "{time: active, batch: batch}"};
  }
  static std::string schema();
};

// TF1's and TF Addons' flags: {average_across_timesteps: true, …}; bits of enum Flag, and which of them were written.
struct LossFlags {
  int bits = 0, written = 0;
  bool operator==(const LossFlags&) const = default;
};
template <>
struct Codec<LossFlags> {
  static std::string parse(const Node& node, LossFlags& value);
  static std::string yaml(const LossFlags& value);
  static std::string type() { return "flags"; }
  static std::vector<std::string> examples() { return {"{}", "{average_across_batch: false}"}; }
  static std::string schema();
};

struct MaskConfig : Section {
  using Section::Section;
  Field<bool> lengths{this, "lengths", true, "positions beyond a sentence's length do not count"};
  Field<bool> file{this, "file", false, "positions with 0 in data.mask do not count"};
  Field<std::optional<int64_t>> ignore_index{this, "ignore_index", std::nullopt,
                                             "targets with this id do not count; null: off"};
  std::vector<ForeignName> foreign_names() const override;
};
struct ClassWeightConfig : Section {
  using Section::Section;
  Field<Path> file{this, "file", Path{}, "one number per target vocabulary entry, a line each"};
  Field<std::optional<std::string>> scope{
      this, "scope", std::nullopt, choice({"class", "target"}),
      "class: weights each class's term (PyTorch); target: weights the row by its target (Keras); null: the preset's, "
      "else class"};
};
struct WeightsConfig : Section {
  using Section::Section;
  Field<bool> token{this, "token", false, "multiply by data.weights.token"};
  Field<bool> example{this, "example", false,
                      "multiply by the example's weight: data.weights.example, a third column, or data.corrupt.weight"};
  ClassWeightConfig classes{this, "class", "weights per target class"};
  Field<bool> allow_negative{this, "allow_negative", false, "negative weights are an error without this"};
};
struct SmoothingConfig : Section {
  using Section::Section;
  Field<double> epsilon{this, "epsilon", 0.0, from_below(0, 1), "mass taken from the target"};
  Field<std::optional<std::string>> kind{this, "kind", std::nullopt,
                                         choice({"uniform", "others", "others_excluding", "prior"}),
                                         "where that mass goes: all classes, all others, others but `excluding`, a "
                                         "prior; null: the preset's, else uniform"};
  Field<std::vector<int64_t>> excluding{
      this,
      "excluding",
      {},
      "ids that get no smoothing mass (others_excluding; with a preset []: mask.ignore_index, else 0)"};
  Field<Path> prior{this, "prior", Path{}, "file with one probability per target vocabulary entry (prior)"};
  Field<std::optional<std::string>> report{
      this, "report", std::nullopt, choice({"ce", "kl"}),
      "kl subtracts the smoothed target's entropy from the value; same gradient; null: the preset's, else ce"};
  std::vector<ForeignName> foreign_names() const override;
};
struct ProbsConfig : Section {
  using Section::Section;
  Field<std::optional<std::string>> mode{
      this, "mode", std::nullopt, choice({"renorm_clip", "clip_then_softmax", "strict"}),
      "divide by the sum, then clip (Keras); clip, then a softmax of logarithms (Keras' sparse form on TensorFlow); "
      "neither, and refuse what does not sum to 1; null: renorm_clip"};
  Field<double> eps{this, "eps", 1e-7, from_below(0, 0.5), "probabilities are clipped to [eps, 1 - eps]"};
};
struct ReduceConfig : Section {
  using Section::Section;
  Field<std::optional<std::string>> over{
      this, "over", std::nullopt, choice({"all", "time", "batch", "none"}),
      "the axes summed over: all gives a scalar, time [B], batch [T], none [B,T]; null: the preset's"};
  Field<std::optional<Divide>> divide{this, "divide", std::nullopt,
                                      "what the sum is divided by: a name, {const: k}, {const: k, times: batch}, or "
                                      "{time: name, batch: name}; null: the "
                                      "preset's"};
  Field<std::optional<double>> divide_eps{this, "divide_eps", std::nullopt, at_least(0),
                                          "added to the divisor; null: the preset's"};
  Field<std::optional<std::string>> on_zero{this, "on_zero", std::nullopt, choice({"zero", "nan", "error"}),
                                            "the value where the divisor is 0; null: the preset's"};
  Field<std::optional<std::string>> then{this, "then", std::nullopt, choice({"sum", "mean"}),
                                         "folds a vector loss to the scalar that training differentiates"};
  std::vector<ForeignName> foreign_names() const override;
};
struct NormalizerConfig : Section {
  using Section::Section;
  Field<std::optional<std::string>> scope{
      this, "scope", std::nullopt, choice({"global", "accum", "micro"}),
      "global: one divisor for all micro-batches of a step; micro: a mean of their means; null: the preset's"};
};

Choice preset_choice();

struct LossConfig : Section {
  LossConfig();
  LossConfig(Section* parent, const char* name, const char* doc);
  ~LossConfig() override;
  Field<std::optional<std::string>> preset{this, "preset", std::nullopt, preset_choice(),
                                           "a loss of the field by name (seqgrad info --presets); null: token_mean"};
  Field<LossFlags> flags{this, "flags", LossFlags{},
                         "flags of a tf1 or tfa preset, e.g. {average_across_batch: false}"};
  Field<std::optional<std::string>> input{
      this, "input", std::nullopt,
      choice({"hidden", "logits", "probs"},
             {{"true", "logits"}, {"false", "probs"}, {"probabilities", "probs"}, {"softmax", "probs"}}),
      "hidden: fused with the output projection; logits: computed whole (same value, more memory); probs: after a "
      "softmax, for teaching; null: the preset's, else hidden"};
  Field<std::string> layout{this, "layout", "batch", choice({"batch", "time", "list"}),
                            "of a case's tensors: [B,T,V], [T,B,V] or T arrays [B,V]; training has batch"};
  Field<std::optional<std::string>> target{
      this, "target", std::nullopt, choice({"ids", "dense"}),
      "ids [B,T] or distributions [B,T,V]; training has ids, dense is for cases; null: the preset's, else ids"};
  Field<std::string> dense_sum{this, "dense_sum", "require", choice({"require", "allow", "normalize"}),
                               "a dense row must sum to 1, may have any sum, or is divided by it"};
  MaskConfig mask{this, "mask", "which positions count"};
  WeightsConfig weights{this, "weights", "how much they count"};
  SmoothingConfig smoothing{this, "smoothing", "label smoothing"};
  ProbsConfig probs{this, "probs", "how the logarithm of probabilities is guarded"};
  Field<std::optional<double>> softcap{this, "softcap", std::nullopt, above(0),
                                       "logits become softcap·tanh(logits/softcap)"};
  Field<double> z_loss{this, "z_loss", 0.0, at_least(0), "adds z_loss·logsumexp² to each row's loss"};
  ReduceConfig reduce{this, "reduce", "what is summed, and what the sum is divided by"};
  NormalizerConfig normalizer{this, "normalizer", "which batches share the divisor"};
  Field<std::string> nonfinite{this, "nonfinite", "error", choice({"error", "propagate"}),
                               "what a NaN or infinity in a live row does"};
  Field<std::vector<std::string>> compare{this,
                                          "compare",
                                          {},
                                          choice(preset_names),
                                          "presets whose value is reported beside this loss, on the same batches"};

  std::vector<ForeignName> foreign_names() const override;
  // Contradictions: an unknown set of flags, or explicit fields that say other than the preset (E14, E15).
  void check(Problems& problems) const override;
  bool is_defined() const;  // the preset has this set of flags; without that it has no options
  // `class_weights`: they are given otherwise than by weights.class.file (a case's tensor); `dense`: so are targets
  // that `target` does not declare.
  LossOptions options(bool class_weights = false, bool dense = false) const;
  std::string prediction() const;  // hidden, logits or probs

 private:
  void check_against(const Preset& row, const LossOptions& o, Problems& problems) const;
  void check_reduction(const LossOptions& o, Problems& problems) const;
  void check_row_loss(const LossOptions& o, Problems& problems) const;
};

// What went wrong in the section, as an error of the loss: by its kind where it has one, else E14.
LossError as_loss_error(const ConfigError& e);

}  // namespace seqgrad

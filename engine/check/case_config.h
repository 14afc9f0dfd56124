// The keys of case.yaml (tests/cases/README.md).
#pragma once
#include <memory>

#include "engine/config/section.h"
#include "engine/loss_config/config.h"

namespace seqgrad {

// What a case records, in the order in which it is compared.
inline constexpr const char* gold_names[] = {"value",   "row_loss", "numerator", "divisor", "d_logits",
                                             "d_probs", "d_hidden", "d_weight",  "d_bias",  "d_row_loss"};

// `value`, or {error: E04, message: "part of its text"}.
struct Expectation {
  std::string error, message;  // empty: a value is expected
  bool operator==(const Expectation&) const = default;
};
template <>
struct Codec<Expectation> {
  static std::string parse(const Node& node, Expectation& value);
  static std::string yaml(const Expectation& value);
  static std::string type() { return "value or an error"; }
  static std::vector<std::string> examples() { return {"value", "{error: E04}"}; }
  static std::string schema() { return R"({"anyOf":[{"const":"value"},{"type":"object"}]})"; }
};

// {rtol: 1.0e-5, atol: 0.0} for one gold.
struct GoldTolerance {
  double rtol = 0, atol = 0;
  bool operator==(const GoldTolerance&) const = default;
};
template <>
struct Codec<GoldTolerance> {
  static std::string parse(const Node& node, GoldTolerance& value);
  static std::string yaml(const GoldTolerance& value);
  static std::string type() { return "tolerance"; }
  static std::vector<std::string> examples() { return {"{rtol: 1.0e-05}", "{rtol: 0.0, atol: 1.0e-09}"}; }
  static std::string schema() { return R"({"type":"object"})"; }
};

struct ToleranceConfig : Section {
  ToleranceConfig(Section* parent, const char* name, const char* doc) : Section(parent, name, doc) {
    for (const char* gold : gold_names)
      golds.push_back(std::make_unique<Field<std::optional<GoldTolerance>>>(this, gold, std::nullopt,
                                                                            "replaces the others for this gold"));
  }
  Field<std::optional<std::string>> limit_class{
      this, "class", std::nullopt, choice({"exact", "f64", "f32", "bf16", "f16", "device"}),
      "limits of the dtype that the gold was computed in; exact: the same bits; null or device: of the one it runs in"};
  Field<std::optional<double>> rtol{this, "rtol", std::nullopt, at_least(0),
                                    "|seqgrad - recorded| <= atol + rtol |recorded| instead of the class's limit"};
  Field<std::optional<double>> atol{this, "atol", std::nullopt, at_least(0), "see rtol"};
  Field<std::string> basis{this, "basis", "", "why these limits"};
  std::vector<std::unique_ptr<Field<std::optional<GoldTolerance>>>> golds;  // in the order of gold_names
};

struct CaseConfig : Section {
  Field<std::string> name{this, "name", "", "the folder's name"};
  Field<std::string> about{this, "about", "", "what it separates, in one line"};
  LossConfig loss{this, "loss", "the loss to be computed, as in a config"};
  Field<Expectation> expect{this, "expect", Expectation{}, "value, or {error: E04}"};
  Field<std::optional<std::string>> nan{this, "nan", std::nullopt, choice({"equal"}), "equal: NaN equals NaN here"};
  ToleranceConfig tolerance{this, "tolerance", "how near the gold must be"};
  Field<std::string> provenance{this, "provenance", "", "who computed the gold, in which version"};
  Field<std::string> peer_differs{this, "peer_differs", "",
                                  "why the tensors peer.* (a peer's own answer) are not what is expected here"};
  Field<std::vector<std::string>> words{this, "words", {}, "names of the V classes, for explain"};
  Field<std::vector<std::string>> experiments{this, "experiments", {}, "of a lesson: what explain shows beside it"};
  Field<std::string> question{this, "question", "", "of a lesson"};
  Field<std::string> predict{this, "predict", "", "of a lesson: what the reader is asked to guess"};
  Field<std::string> answer{this, "answer", "", "of a lesson"};
  Field<std::string> repair{this, "repair", "",
                            "of a lesson: top-level keys in YAML that stand in for those of the file, and mend it"};
};

}  // namespace seqgrad

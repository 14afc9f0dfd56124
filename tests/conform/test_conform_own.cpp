// Our own losses, each preset in each form, held against themselves through the protocol: all conform.
#include <iostream>

#include "engine/conform/conform.h"
#include "engine/loss/presets.h"
#include "tests/conform/own_loss.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

Program program(const std::string& takes, const std::string& dtype, const Metadata& more = {}) {
  Metadata m{{"protocol", "1"}, {"name", "own"}, {"takes", takes}, {"dtypes", dtype}};
  for (const auto& [key, value] : more) m[key] = value;
  return read_hello(m);
}

const char* axis_of(Over over) {
  constexpr const char* names[] = {"all", "time", "batch", "none"};
  return names[static_cast<int>(over)];
}

std::string with_flags(const Preset& p) {
  if (p.flags < 0) return p.name;
  std::string on;
  for (const auto& [bit, name] : {std::pair{average_across_timesteps, "average_across_timesteps"},
                                  {average_across_batch, "average_across_batch"},
                                  {sum_over_timesteps, "sum_over_timesteps"},
                                  {sum_over_batch, "sum_over_batch"}})
    if (p.flags & bit) on += (on.empty() ? "" : "+") + std::string(name);
  return std::string(p.name) + "[" + (on.empty() ? "no flag" : on) + "]";
}

struct Form {
  const char *takes, *gradients;
};

void expect_conforms(const std::string& name, const Form& form, const std::string& dtype, const Metadata& more = {}) {
  const LossMeaning meaning = meaning_of(name);
  Metadata hello = more;
  hello["gradients"] = form.gradients;
  const bool class_weights = has(form.takes, "class_weight");
  LossOptions options = meaning.config->options(class_weights, has(form.takes, "dense"));
  hello["axis"] = axis_of(options.over);
  const Program p = program(form.takes, dtype, hello);
  options.input = p.kind == PredictionKind::probs ? Input::probs : Input::logits;
  options.report = {};
  OwnLoss own(p, options);
  ConformOptions o;
  o.meant = meaning;
  o.draw.seed = 11;
  o.draw.count = 12;
  const ConformReport r = conform(own, o);
  CAPTURE(name, form.takes, dtype, report_text(r, true));
  CHECK(r.exit == 0);
  CHECK(r.count(Verdict::note) == 0);
}

}  // namespace

TEST_CASE("every preset conforms to itself, of logits, probabilities, hidden states and row losses, in both dtypes") {
  const Form forms[] = {{"logits targets mask token_weight", "d_logits"},
                        {"probs targets lengths", "d_probs"},
                        {"hidden weight bias targets lengths", "d_hidden d_weight d_bias"},
                        {"row_loss mask example_weight", "d_row_loss"}};
  for (const Preset& p : presets()) {
    if (p.given != Given::anything || p.row.target == Target::dense) continue;
    for (const Form& form : forms)
      for (const char* dtype : {"F64", "F32"}) expect_conforms(with_flags(p), form, dtype);
  }
}

TEST_CASE("presets of dense targets, class weights and labels conform to themselves") {
  for (const char* dtype : {"F64", "F32"}) {
    expect_conforms("torch.mean", {"logits dense mask", "d_logits"}, dtype);
    expect_conforms("torch.mean", {"logits targets mask class_weight", "d_logits"}, dtype);
    expect_conforms("hf.causal_lm", {"logits labels num_items", "d_logits"}, dtype);
    expect_conforms("token_mean", {"logits targets mask num_items", "d_logits"}, dtype);
    expect_conforms("hf.causal_lm", {"logits labels num_items", "d_logits"}, dtype, {{"shifts", "1"}});
    expect_conforms("tf1.contrib_sequence_loss[no flag]", {"logits targets lengths token_weight", "d_logits"}, dtype,
                    {{"shifts", "1"}});
    expect_conforms("sum", {"logits targets mask", "d_logits"}, dtype, {{"steps", "5"}, {"classes", "7"}});
    expect_conforms("sum", {"logits targets lengths", "d_logits"}, dtype, {{"layout", "time"}});
    expect_conforms("tfa.sequence_loss[no flag]", {"logits targets mask token_weight", "d_logits"}, dtype,
                    {{"layout", "time"}});
  }
}

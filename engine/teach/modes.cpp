// Presets as options over the batch's own row loss, each run through the engine.
#include "engine/teach/modes.h"

#include <cmath>

#include "engine/loss/presets.h"
#include "engine/naming/forms.h"

namespace seqgrad {
namespace {

LossOptions options_under(const Preset& p, const LessonBatch& s) {
  const LossOptions own = options_of(p);
  LossOptions o = s.options;
  o.over = own.over;
  o.divide = own.divide;
  o.divide_eps = own.divide_eps;
  o.on_zero = own.on_zero;
  o.scope = own.scope;
  o.report = own.report;
  o.then = Then::nothing;
  o.probs_mode = p.row.probs_mode.value_or(o.probs_mode);
  o.class_scope = p.row.class_scope.value_or(o.class_scope);
  if (o.smoothing > 0 && p.row.smoothing_kind) {
    o.smoothing_kind = *p.row.smoothing_kind;
    o.report_kl = p.row.kl;
    if (o.smoothing_kind == SmoothingKind::others_excluding && o.smoothing_excluding.empty())
      o.smoothing_excluding = {o.ignore_index.value_or(0)};
  }
  return o;
}

void fill(Mode& mode, const LessonBatch& s) {
  mode.divisor_words = words_of(mode.options.divide);
  const bool target_weights = s.inputs.class_weight && mode.options.class_scope == ClassScope::target;
  const bool weighted = s.inputs.token_weight || s.inputs.example_weight || target_weights;
  mode.lines = mode.own_row_loss ? whole_lines(mode.options, weighted, s.inputs.class_weight.has_value())
                                 : reduction_lines(mode.options, weighted);
  try {
    Outcome o = evaluate(s);
    mode.values = std::move(o.values);
    mode.numerators = std::move(o.numerators);
    mode.divisors = std::move(o.divisors);
    mode.gradient_norm = gradient_norm(s, o);
    const bool scalar = mode.options.over == Over::all || mode.options.then != Then::nothing;
    mode.printed = scalar ? o.sum.reported(mode.options) : 0;
  } catch (const LossError& e) {
    mode.refused = str(e.loss_code) + ": " + e.what();
  }
}

}  // namespace

std::vector<Mode> modes_of(const LessonBatch& s, const std::vector<std::string>& names) {
  std::vector<Mode> out(1);
  out[0].name = "this loss";
  out[0].own = true;
  out[0].options = s.options;
  fill(out[0], s);
  const Given given = s.options.target == Target::dense ? Given::dense
                      : s.inputs.class_weight           ? Given::class_weight
                                                        : Given::anything;
  for (const std::string& name : names.empty() ? preset_names() : names) {
    const Preset& p = preset(name, -1, given);
    Mode mode;
    mode.name = p.name;
    mode.who = p.who;
    mode.formula = p.formula;
    mode.options = options_under(p, s);
    mode.own_row_loss = !s.row_loss && !own_row_loss(p, s.options, s.inputs.class_weight.has_value()).empty();
    const bool probs = p.row.input == Input::probs && s.options.input == Input::logits && !s.row_loss;
    LessonBatch under = probs ? with_probabilities(s) : s;
    mode.options.input = under.options.input;
    under.options = mode.options;
    under.upstream.clear();
    for (int64_t n = 0; mode.own_row_loss && n < s.inputs.batch * s.inputs.steps; ++n)
      mode.alone.push_back(cell_alone(under, n / s.inputs.steps, n % s.inputs.steps));
    fill(mode, under);
    out.push_back(std::move(mode));
  }
  return out;
}

}  // namespace seqgrad

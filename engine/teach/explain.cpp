// The views of one batch filled from the engine's outcome.
#include "engine/teach/explain.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "engine/check/probabilities_note.h"
#include "engine/text/numbers.h"

namespace seqgrad {
namespace {

double norm(const double* x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += x[i] * x[i];
  return std::sqrt(sum);
}

// The first source that takes a cell out of the loss; "" where none does.
std::string why_dead(const LessonBatch& s, int64_t b, int64_t t) {
  const LossInputs& in = s.inputs;
  const auto at = static_cast<size_t>(b * in.steps + t);
  if (in.lengths && t >= (*in.lengths)[static_cast<size_t>(b)]) return "length";
  if (in.mask && !(*in.mask)[at]) return "mask";
  if (s.options.ignore_index && !in.targets.empty() && in.targets[at] == *s.options.ignore_index) return "ignored id";
  return "";
}

double class_sum(const LessonBatch& s, size_t cell) {
  const LossInputs& in = s.inputs;
  if (!in.class_weight) return 1;
  const std::vector<double>& c = *in.class_weight;
  if (in.dense.empty()) {
    const int64_t id = in.targets[cell];
    return id >= 0 && id < in.classes ? c[static_cast<size_t>(id)] : 1;
  }
  double sum = 0, mass = 0;
  for (size_t k = 0; k < c.size(); ++k) {
    sum += c[k] * in.dense[cell * c.size() + k];
    mass += in.dense[cell * c.size() + k];
  }
  return s.options.dense_sum == DenseSum::normalize ? sum / mass : sum;
}

TokenView token_view(const Explanation& e, int64_t b, int64_t t) {
  const LossInputs& in = e.batch.inputs;
  const auto at = static_cast<size_t>(b * in.steps + t);
  TokenView v;
  v.b = b;
  v.t = t;
  if (e.batch.row_loss) {
    v.text = "ℓ";
  } else if (!in.targets.empty()) {
    v.id = in.targets[at];
    const bool named = v.id >= 0 && v.id < static_cast<int64_t>(e.subject.words.size());
    v.text = named ? e.subject.words[static_cast<size_t>(v.id)] : fmt::format("#{}", v.id);
  } else {
    v.text = "(distribution)";
  }
  v.why = why_dead(e.batch, b, t);
  v.mask = v.why.empty();
  if (in.token_weight) v.token_weight = (*in.token_weight)[at];
  if (in.example_weight) v.example_weight = (*in.example_weight)[static_cast<size_t>(b)];
  if (in.class_weight && e.batch.options.class_scope == ClassScope::target && v.id >= 0 && v.id < in.classes)
    v.class_weight = (*in.class_weight)[static_cast<size_t>(v.id)];
  if (v.mask && v.token_weight * v.example_weight * v.class_weight == 0) v.why = "weight 0";
  v.class_sum = class_sum(e.batch, at);
  v.alone = cell_alone(e.batch, b, t, &v.refused);
  return v;
}

// The classes with the largest gradients of live rows, ids ascending.
std::vector<int64_t> shown_classes(const Explanation& e, const Outcome* o, size_t most) {
  const auto v = static_cast<size_t>(e.batch.inputs.classes);
  std::vector<double> weight(v, 0.0);
  for (size_t cell = 0; cell < e.tokens.size(); ++cell) {
    const bool live = o && o->live[cell];
    if (!e.tokens[cell].alone || (o && !live)) continue;
    for (size_t k = 0; k < v; ++k) {
      const double g = live ? o->gradient[cell * v + k] : e.tokens[cell].alone->gradient[k];
      if (std::isfinite(g)) weight[k] += std::abs(g);
    }
  }
  std::vector<int64_t> ids(v);
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](int64_t a, int64_t b) {
    return weight[static_cast<size_t>(a)] > weight[static_cast<size_t>(b)];
  });
  if (ids.size() > most) ids.resize(most);
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::vector<double> at_classes(const double* row, const std::vector<int64_t>& shown) {
  std::vector<double> out;
  for (const int64_t k : shown) out.push_back(row[k]);
  return out;
}

// "token mean", "sum", "mean over T per sentence": what kind of loss the options are, for people.
std::string kind_of(const LossOptions& o) {
  if (o.divide.time == "const") return fmt::format("sum over {} times {:g}", divisor(o.divide.batch).words, o.divide.k);
  if (o.divide.nested()) {
    const std::string what = o.divide.time == "one" ? "sentence sums" : "sentence means";
    const std::string inner =
        o.divide.time == "one" ? "" : fmt::format(", each over its {}", divisor(o.divide.time).words);
    return o.divide.batch == "one" ? fmt::format("sum of {}{}", what, inner)
                                   : fmt::format("mean over {} of {}{}", divisor(o.divide.batch).words, what, inner);
  }
  if (o.divide.flat == "one") return "sum";
  if (o.divide.flat == "const") return "sum over a constant";
  if (o.divide.flat == "active") return "token mean";
  return fmt::format("per {}", divisor(o.divide.flat).words);
}

std::string sum_line(const Explanation& e) {
  const LossOptions& o = e.batch.options;
  if (e.values.size() == 1 && e.numerators.size() == 1) {
    if (e.divisors[0] == 1 && o.divide.flat == "one") return fmt::format("loss = {:.4f} (sum)", e.values[0]);
    return fmt::format("loss = {:.5g} / {:.6g}{} = {:.4f} ({})", e.numerators[0], e.divisors[0],
                       o.divide_eps > 0 && !o.divide.nested() ? fmt::format(" + {:g}", o.divide_eps) : "", e.values[0],
                       kind_of(o));
  }
  static const char* const axes[] = {"", "sentence", "step", "cell"};
  return fmt::format("loss = one value for each {}: [{:.4f}]{}", axes[static_cast<int>(o.over)],
                     fmt::join(e.values, ", "), o.then == Then::nothing ? "" : "");
}

void add_numbers(Explanation& e, const Outcome& o) {
  const auto v = static_cast<size_t>(e.batch.inputs.classes);
  e.values = o.values;
  e.numerators = o.numerators;
  e.divisors = o.divisors;
  e.gradient_norm = gradient_norm(e.batch, o);
  for (size_t i = 0; i < e.tokens.size(); ++i) {
    TokenView& t = e.tokens[i];
    t.live = o.live[i];
    t.weight = o.weight[i];
    t.loss = o.row_loss[i];
    t.coefficient = o.coefficient[i];
    if (!t.live) continue;
    t.contribution = t.coefficient * t.loss;
    const double whole = o.values[o.values.size() == 1 ? 0 : static_cast<size_t>(o.entry[i])];
    t.share = whole == 0 ? 0 : t.contribution / whole;
    t.gradient_norm = norm(&o.gradient[i * v], v);
  }
  for (const LossWarning& w : o.warnings) e.warnings.push_back(w.text);
  if (std::string note = e.batch.row_loss ? "" : probabilities_note(e.batch.options, o.rows, e.batch.x); !note.empty())
    e.warnings.push_back(std::move(note));
  e.sum = sum_line(e);
}

// The id below 0 of a token that would count: what other frameworks write where nothing is to be learned (-100).
std::optional<int64_t> negative_id(const Explanation& e) {
  for (const TokenView& t : e.tokens)
    if (t.mask && t.id < 0 && !e.batch.inputs.targets.empty()) return t.id;
  return std::nullopt;
}

}  // namespace

Explanation explain(const LessonBatch& s, const Subject& subject, const ExplainOptions& options) {
  Explanation e;
  e.subject = subject;
  e.batch = s;
  for (int64_t b = 0; b < s.inputs.batch; ++b)
    for (int64_t t = 0; t < s.inputs.steps; ++t) e.tokens.push_back(token_view(e, b, t));
  std::optional<Outcome> outcome;
  try {
    outcome = evaluate(s);
    add_numbers(e, *outcome);
  } catch (const LossError& error) {
    e.error = str(error.loss_code) + ": " + error.what();
    if (const std::optional<int64_t> id = negative_id(e); id && error.loss_code == LossCode::target_id)
      e.warnings.push_back(
          fmt::format("to leave the targets {} out write loss: {{mask: {{ignore_index: {}}}}}", *id, *id));
  }
  for (const Divisor& d : divisors())
    e.all_divisors.push_back({d.name, d.formula, d.words, d.unit, name_of(d.plus), name_of(d.minus),
                              outcome ? std::optional(d.value(outcome->rows.all)) : std::nullopt});
  e.shown = shown_classes(e, outcome ? &*outcome : nullptr, options.classes);
  const auto v = static_cast<size_t>(s.inputs.classes);
  for (size_t i = 0; i < e.tokens.size(); ++i) {
    TokenView& t = e.tokens[i];
    t.gradient = outcome ? at_classes(&outcome->gradient[i * v], e.shown) : std::vector<double>(e.shown.size(), 0.0);
    if (!t.alone) continue;
    t.alone_norm = norm(t.alone->gradient.data(), v);
    t.alone->gradient = at_classes(t.alone->gradient.data(), e.shown);
  }
  e.modes = modes_of(s, options.modes);
  e.rows = row_loss_lines(s.options, s.inputs.class_weight.has_value());
  for (auto& [framework, line] : e.rows)
    if (s.row_loss) line.clear();  // they are given
  if (options.experiments) e.experiments = run_experiments(s);
  return e;
}

Explanation explain(const LossCase& c, const ExplainOptions& options) {
  Subject subject;
  const CaseConfig& k = *c.config;
  subject.source = c.path;
  subject.title = std::filesystem::path(c.path).stem().string();
  subject.about = k.about();
  subject.question = k.question();
  subject.predict = k.predict();
  subject.answer = k.answer();
  subject.repair = k.repair();
  if (const Values* gold = c.gold_of("value"); gold && gold->numbers.size() == 1) subject.prediction = gold->numbers[0];
  subject.kind = subject.question.empty() ? "case" : "lesson";
  const LessonBatch s = lesson_batch_of(c);
  subject.words = s.row_loss ? std::vector<std::string>{"∂/∂ℓ"} : k.words();
  if (!subject.words.empty() && static_cast<int64_t>(subject.words.size()) != s.inputs.classes)
    refuse("{}: error: words: {} for {}", shown_path(c.where),
           counted(static_cast<int64_t>(subject.words.size()), "word"), counted(s.inputs.classes, "class", "classes"));
  return explain(s, subject, options);
}

double rounding_of_table(const Explanation& e) {
  double sum = 0, count = 0;
  for (const TokenView& t : e.tokens)
    if (t.mask && t.alone && std::isfinite(t.alone->nll)) sum += t.alone->nll, count += 1;
  return sum > 0 ? std::min(0.5e-4 * count / sum, 1e-3) : 0;
}

}  // namespace seqgrad

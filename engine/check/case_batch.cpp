// Layouts end here: a batch is b-major.
#include "engine/check/case_batch.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "engine/check/framework_error.h"
#include "engine/check/limits.h"
#include "engine/loss/reduction.h"

namespace seqgrad {

LossBatch batch_of(const LossCase& c, const CaseInputs& in) {
  LossBatch out;
  out.kind = in.hidden                          ? PredictionKind::hidden
             : in.row_loss                      ? PredictionKind::row_loss
             : in.options.input == Input::probs ? PredictionKind::probs
                                                : PredictionKind::logits;
  out.inputs = in.loss;
  CaseArrays a = arrays_of(c, in);
  const int64_t width = in.hidden ? in.width : in.loss.classes;
  out.x = c.layout == Layout::batch ? std::move(a.x) : from_time_major(a.x, in.loss.batch, in.loss.steps, width);
  out.weight = std::move(a.weight);
  out.bias = std::move(a.bias);
  return out;
}

double digits_of_arithmetic(const LossCase& c) {
  const std::string theirs = class_of_gold(c);
  const double u = arithmetic_of(theirs).u;
  const bool looks_narrow = theirs == "device" && !c.gold.empty() && is_gold_float32(c);
  return u > 0x1p-20 ? u : c.dtype() == DType::f32 || u == 0x1p-24 || looks_narrow ? 3e-6 : 0;
}

double passing_distance(const LossCase& c, const std::vector<double>& value) {
  CaseRun run;
  try {
    run = run_case(c, DType::f64, Device::cpu);
  } catch (const LossError&) {
    return 0;
  }
  const std::vector<double>& ours = run.loss.values;
  if (ours.size() != value.size()) return 0;
  const Limits limits = limits_of(c, run, {"value", run.of("value").shape, value});
  double most = 0, largest = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    const double off = ours[i] == value[i] ? 0 : std::abs(ours[i] - value[i]);
    if (!(off <= limits.at(0, value[i]))) return 0;
    most = std::max(most, off);
    if (std::isfinite(value[i])) largest = std::max(largest, std::abs(value[i]));
  }
  return largest == 0 ? 0 : 1.001 * most / largest;
}

namespace {

// What naming allows a recorded number, relative to the largest: the case's own tolerance, or digits of the arithmetic,
// since a bound of its error would let others pass.
double error_of_gold(const LossCase& c, const Values& gold) {
  const double digits = std::max(1e-8, digits_of_arithmetic(c));
  const auto own = own_tolerance(c, gold.name);
  if (!own) return digits;
  double largest = 0;
  for (const double x : gold.numbers)
    if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
  return std::max(digits, own->rtol + (largest > 0 ? own->atol / largest : 0));
}

std::vector<double> gold_value(const LossCase& c, const CaseInputs& in, const Values& gold) {
  if (c.layout == Layout::batch || gold.shape.size() != 2) return gold.numbers;
  return from_time_major(gold.numbers, in.loss.batch, in.loss.steps);
}

CaseAnswer answer_of_case(const LossCase& c, const CaseInputs& in) {
  CaseAnswer out;
  out.batch = batch_of(c, in);
  out.options = in.options;
  out.provenance = c.config->provenance();
  for (char& x : out.provenance) x = static_cast<char>(std::tolower(static_cast<unsigned char>(x)));
  return out;
}

// got·ratio = want in the whole row, both of one width; none where that is no ratio.
std::optional<double> ratio_of_row(const double* got, const double* want, int64_t width, double error) {
  double gg = 0, gw = 0, largest = 0, off = 0;
  for (int64_t i = 0; i < width; ++i) {
    gg += got[i] * got[i];
    gw += got[i] * want[i];
    largest = std::max(largest, std::abs(want[i]));
  }
  const double ratio = gg > 0 ? gw / gg : 0;
  for (int64_t i = 0; i < width; ++i) off = std::max(off, std::abs(want[i] - ratio * got[i]));
  if (!std::isfinite(gw) || !(off <= std::max(1e-5, 8 * error) * largest)) return std::nullopt;
  return ratio;
}

const Values* gradient_of_prediction(const LossCase& c) {
  for (const char* name : {"d_logits", "d_probs", "d_hidden", "d_row_loss"})
    if (const Values* gold = c.gold_of(name)) return gold;
  return nullptr;
}

// What each position adds to the value that the recorded gradient of what predicts belongs to: every row's own share of
// ours, times theirs over ours. Empty where a row is no multiple of ours, as with other targets.
std::vector<double> rows_told(const LossCase& c, const CaseRun& run) {
  const Values* want = gradient_of_prediction(c);
  const Values* got = want ? run.find(want->name) : nullptr;
  const int64_t b = run.rows.batch, t = run.rows.steps, cells = b * t;
  if (!got || got->numbers.size() != want->numbers.size() || cells == 0) return {};
  const int64_t width = static_cast<int64_t>(want->numbers.size()) / cells;
  const double error = error_of_gold(c, *want);
  const Coefficients ours = coefficients(run.rows, run.inputs.options, run.rows.divisor);
  std::vector<double> share(static_cast<size_t>(cells), 0.0);
  for (size_t i = 0; i < run.rows.rows.size(); ++i)
    share[static_cast<size_t>(run.rows.rows[i].row)] = ours.rows[i] * (run.loss.row_loss[i] + run.loss.row_z[i]);
  for (int64_t n = 0; n < cells; ++n) {
    const int64_t at = (c.layout == Layout::batch ? n : n % t * b + n / t) * width;
    const auto ratio = ratio_of_row(got->numbers.data() + at, want->numbers.data() + at, width, error);
    if (!ratio) return {};
    share[static_cast<size_t>(n)] *= *ratio;
  }
  return share;
}

// recorded = factor · ours, in the value and in every gradient; 0 where that is not so.
double common_factor(const LossCase& c, const CaseRun& run, const std::vector<Comparison>& comparisons, double error) {
  double factor = 0;
  const auto differs = [&](double ratio) {
    return !(std::abs(ratio - factor) <= std::max(1e-5, error) * std::abs(factor));
  };
  for (const Comparison& x : comparisons) {
    if (!x.name.starts_with("d_")) continue;
    if (factor == 0) factor = x.ratio.value_or(0);
    if (!x.ratio || differs(*x.ratio)) return 0;
  }
  if (run.loss.values.size() != 1) return 0;
  if (const Values* value = c.gold_of("value"))
    if (value->numbers.size() != 1 || differs(value->numbers[0] / run.loss.values[0])) return 0;
  return factor;
}

}  // namespace

std::optional<CaseAnswer> answer_to_explain(const LossCase& c, const CaseRun& run,
                                            const std::vector<Comparison>& comparisons) {
  const Values* gold = c.gold_of("value");
  const auto is_wrong = [&](const Comparison& x) {
    return !x.passed() && (gold ? x.name == "value" : x.name.starts_with("d_"));
  };
  if (std::none_of(comparisons.begin(), comparisons.end(), is_wrong)) return std::nullopt;
  CaseAnswer out = answer_of_case(c, run.inputs);
  out.rows = rows_told(c, run);
  const Values* gradient = gradient_of_prediction(c);
  out.error = error_of_gold(c, gold ? *gold : gradient ? *gradient : c.gold[0]);
  out.factor = common_factor(c, run, comparisons, out.error);
  if (gold) {
    out.value = gold_value(c, run.inputs, *gold);
    out.text = out.value.size() == 1 ? fmt::format("{:.9g}", out.value[0]) : "gold.value";
    return out;
  }
  if (run.loss.values.size() != 1) return std::nullopt;
  out.by_gradient = !out.rows.empty();
  double value = 0;
  for (const double x : out.rows) value += x;
  // A gradient that is ours times one factor belongs to a value that is ours times the same.
  const auto scaled = std::find_if(comparisons.begin(), comparisons.end(),
                                   [](const Comparison& x) { return x.ratio && x.name.starts_with("d_"); });
  if (!out.by_gradient) {
    if (scaled == comparisons.end()) return std::nullopt;
    value = run.loss.values[0] * *scaled->ratio;
  }
  out.value = {value};
  out.text = fmt::format("a loss of {:.9g}, whose gradient this is,", value);
  return out;
}

bool can_be_one_loss(const CaseAnswer& a, const CaseAnswer& b) {
  const LossOptions &x = a.options, &y = b.options;
  const auto same = [&](auto... member) { return ((x.*member == y.*member) && ...); };
  return a.batch.kind == b.batch.kind && a.by_gradient == b.by_gradient &&
         a.batch.inputs.class_weight.has_value() == b.batch.inputs.class_weight.has_value() &&
         same(&LossOptions::input, &LossOptions::probs_mode, &LossOptions::probs_eps, &LossOptions::target,
              &LossOptions::dense_sum, &LossOptions::smoothing, &LossOptions::smoothing_kind,
              &LossOptions::smoothing_excluding, &LossOptions::report_kl, &LossOptions::softcap, &LossOptions::z_loss,
              &LossOptions::ignore_index, &LossOptions::class_scope);
}

Naming name_answers(std::span<const CaseAnswer> answers, bool simple) {
  std::vector<Observed> observed;
  NamingOptions options;
  options.section = answers[0].options;
  options.section->nonfinite = Nonfinite::propagate;
  options.section->report = {};
  options.section->then = Then::nothing;
  options.simple = simple;
  options.nearest = 1000;  // all: some are no scalar, some one line
  for (const CaseAnswer& a : answers) {
    observed.push_back({&a.batch, {a.value, {}, {}, {}}, a.rows});
    options.answer_error = std::max(options.answer_error, a.error);
    options.by_gradient |= a.by_gradient;
  }
  return name_loss(observed, options);
}

Naming name_cases(const std::vector<LossCase>& cases) {
  std::vector<CaseAnswer> answers;
  for (const LossCase& c : cases) {
    const Values* gold = c.gold_of("value");
    if (!gold) refuse("{}: error: --which gold needs gold.value, and there is none", shown_path(c.where));
    const CaseInputs in = inputs_of(c);
    answers.push_back(answer_of_case(c, in));
    answers.back().value = gold_value(c, in, *gold);
    answers.back().error = std::max(error_of_gold(c, *gold), passing_distance(c, answers.back().value));
    const CaseAnswer &first = answers[0], &last = answers.back();
    if (last.batch.kind != first.batch.kind)
      refuse("{}: error: has {} where the first case has {}; one loss takes one of them", shown_path(c.where),
             name_of(last.batch.kind), name_of(first.batch.kind));
    if (!can_be_one_loss(first, last))
      refuse("{}: error: its section says another row loss than the first case's; one loss has one",
             shown_path(c.where));
  }
  return name_answers(answers, false);
}

std::vector<std::string> lines_of(const Naming& naming, size_t cases, size_t most) {
  const auto text = [&](const LossHypothesis& h) {
    const size_t shown = std::min(most, h.names.size());
    std::string names =
        fmt::format("{}", fmt::join(h.names.begin(), h.names.begin() + static_cast<std::ptrdiff_t>(shown), " = "));
    if (shown < h.names.size())
      names += fmt::format(" = {} more name{} (-v)", h.names.size() - shown, h.names.size() - shown == 1 ? "" : "s");
    std::string out = names.empty() ? h.sentence : fmt::format("{} = {}", h.sentence, names);
    return h.ids.empty() ? out : fmt::format("{}  {}", out, fmt::join(h.ids, " "));
  };
  const std::string all = fmt::format("gold of {} case{}", cases, cases == 1 ? "" : "s");
  std::vector<std::string> out;
  for (const LossHypothesis& h : naming.fits) out.push_back(fmt::format("{} = {}", all, text(h)));
  if (!out.empty()) return out;
  out.push_back(fmt::format("{} is none of them{}; the nearest, with answer/theirs from least to most:", all,
                            naming.stopped ? " (search stopped)" : ""));
  constexpr size_t most_nearest = 3;
  for (size_t i = 0; i < naming.nearest.size() && i < most_nearest; ++i) {
    const Nearest& n = naming.nearest[i];
    out.push_back(fmt::format("  {:.6g} … {:.6g} x {}", n.least, n.most, text(n.hypothesis)));
  }
  return out;
}

}  // namespace seqgrad

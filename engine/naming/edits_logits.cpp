// Changes of what predicts, and of the formula of a position's loss.
#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/naming/edits.h"

namespace seqgrad {
namespace {

bool is_softmax(const Variant& x) { return x.kind == PredictionKind::logits && x.inputs.classes > 0; }

// Logarithms of the probabilities of a row, whatever predicts.
std::vector<double> log_probabilities(const RowView& row) {
  std::vector<double> out(row.x, row.x + row.classes);
  if (row.kind == PredictionKind::log_probs) return out;
  const bool probs = row.kind == PredictionKind::probs;
  const double top = probs ? 0 : *std::max_element(out.begin(), out.end());
  double sum = 0;
  for (const double x : out) sum += probs ? x : std::exp(x - top);
  const double off = std::log(sum) + top;
  for (double& x : out) x = (probs ? std::log(x) : x) - off;
  return out;
}

template <class F>
double against(const RowView& row, const F& f) {  // −Σ r·f(log p)
  const std::vector<double> lp = log_probabilities(row);
  double loss = 0;
  for (int64_t v = 0; v < row.classes; ++v)
    if (row.r[v] != 0) loss -= row.r[v] * f(lp[static_cast<size_t>(v)]);
  return loss;
}

double no_log(const RowView& row) {
  return against(row, [](double lp) { return std::exp(lp); });
}
double one_less(const RowView& row) { return 1 + no_log(row); }
double focal(const RowView& row) {
  return against(row, [&](double lp) { return std::pow(-std::expm1(lp), row.parameter) * lp; });
}
double epsilon_in_log(const RowView& row) {
  return against(row, [&](double lp) { return std::log(std::exp(lp) + row.parameter); });
}
double probability_clipped(const RowView& row) {
  return against(row, [&](double lp) { return std::clamp(lp, std::log(row.parameter), std::log1p(-row.parameter)); });
}
double no_softmax(const RowView& row) {
  double loss = 0;
  for (int64_t v = 0; v < row.classes; ++v) loss -= row.r[v] * row.x[v];
  return loss;
}
double squared_error(const RowView& row) {
  const std::vector<double> lp = log_probabilities(row);
  double loss = 0;
  for (int64_t v = 0; v < row.classes; ++v) {
    const double d = std::exp(lp[static_cast<size_t>(v)]) - row.r[v];
    loss += d * d;
  }
  return loss;
}
double one_hot_missing(const RowView& row) {
  const double top = *std::max_element(row.x, row.x + row.classes);
  double sum = 0;
  for (int64_t v = 0; v < row.classes; ++v) sum += std::exp(row.x[v] - top);
  return top + std::log(sum);
}
double sigmoid(const RowView& row) {
  double loss = 0;
  for (int64_t v = 0; v < row.classes; ++v) {
    const double z = row.x[v];
    loss += std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))) - row.r[v] * z;
  }
  return loss;
}

template <RowFormula formula>
bool use(Variant& x) {
  x.formula = formula;
  return x.kind != PredictionKind::row_loss;
}
template <RowFormula formula>
bool use_of_logits(Variant& x) {
  x.formula = formula;
  return is_softmax(x);
}
template <RowFormula formula>
bool use_number(Variant& x, double number) {
  x.parameter = number;
  return use<formula>(x);
}

bool softmax_first(Variant& x) {
  if (!is_softmax(x)) return false;
  const auto v = static_cast<size_t>(x.inputs.classes);
  std::vector<double>& numbers = x.x.own();
  for (size_t row = 0; row + v <= numbers.size(); row += v) {
    double* z = numbers.data() + row;
    const double top = *std::max_element(z, z + v);
    double sum = 0;
    for (size_t j = 0; j < v; ++j) sum += z[j] = std::exp(z[j] - top);
    for (size_t j = 0; j < v; ++j) z[j] /= sum;
  }
  return true;
}

// log-softmax over steps or over examples; positions that do not count are in the sum.
template <bool over_time>
bool other_axis(Variant& x) {
  if (!is_softmax(x)) return false;
  const int64_t b = x.inputs.batch, t = x.inputs.steps, v = x.inputs.classes;
  const int64_t outer = over_time ? b : t, along = over_time ? t : b;
  std::vector<double>& numbers = x.x.own();
  for (int64_t i = 0; i < outer; ++i)
    for (int64_t j = 0; j < v; ++j) {
      const auto at = [&](int64_t k) -> double& {
        return numbers[static_cast<size_t>((over_time ? i * t + k : k * t + i) * v + j)];
      };
      double top = -INFINITY, sum = 0;
      for (int64_t k = 0; k < along; ++k) top = std::max(top, at(k));
      for (int64_t k = 0; k < along; ++k) sum += std::exp(at(k) - top);
      for (int64_t k = 0; k < along; ++k) at(k) -= top + std::log(sum);
    }
  x.kind = PredictionKind::log_probs;
  return true;
}

// Where logits could be meant for probabilities.
bool has_probabilities(const Variant& x) {
  const std::vector<uint8_t> active = active_cells(x.inputs, x.options);
  const auto v = static_cast<size_t>(x.inputs.classes);
  for (size_t i = 0; i < x.x.size() && is_softmax(x); ++i)
    if (active[i / v] && !(x.x[i] >= 0 && x.x[i] <= 1)) return false;
  return true;
}

bool probs_taken(Variant& x, ProbsMode mode) {
  if (!is_softmax(x)) return false;
  x.kind = PredictionKind::probs;
  x.options.probs_mode = mode;
  x.options.softcap.reset();
  x.options.z_loss = 0;
  return true;
}

constexpr EditGroup logits = EditGroup::logits;

const Edit logit_table[] = {
    {"logits:softmax_twice", "with a softmax taken twice", logits, true, false, false, softmax_first, anywhere},
    {"logits:probabilities_as_logits", "with probabilities taken for logits", logits, true, false, false,
     [](Variant& x) { return std::exchange(x.kind, PredictionKind::logits) == PredictionKind::probs; }, anywhere},
    {"logits:as_probabilities", "with logits taken for probabilities, divided by their sum and clipped", logits, true,
     false, false, [](Variant& x) { return probs_taken(x, ProbsMode::renorm_clip); }, has_probabilities},
    {"logits:as_probabilities", "with logits taken for probabilities, clipped, then a softmax of logarithms", logits,
     true, false, false, [](Variant& x) { return probs_taken(x, ProbsMode::clip_then_softmax); }, has_probabilities},
    {"logits:no_log", "with −p for −log p", logits, true, false, false, use<no_log>},
    {"logits:no_log", "with 1 − p for −log p", logits, true, false, false, use<one_less>},
    {"logits:no_softmax", "with the logits themselves for log-probabilities", logits, true, false, false,
     use_of_logits<no_softmax>},
    {"logits:one_hot_missing", "without the target's term: log Σ exp z alone", logits, true, false, false,
     use_of_logits<one_hot_missing>},
    {"logits:sigmoid", "with a sigmoid cross entropy of every class, added up", logits, true, false, false,
     use_of_logits<sigmoid>},
    {"logits:squared_error", "with the squared distance of p and target for the cross entropy", logits, true, false,
     false, use<squared_error>},
    {"logits:softmax_over_time", "with a softmax over steps instead of classes", logits, true, false, false,
     other_axis<true>},
    {"logits:softmax_over_batch", "with a softmax over sentences instead of classes", logits, true, false, false,
     other_axis<false>},
    {"logits:z_loss_dropped", "with z_loss left out", logits, true, false, false,
     [](Variant& x) { return std::exchange(x.options.z_loss, 0.0) != 0; }, anywhere},
    {"logits:softcap_dropped", "with the soft cap left out", logits, true, false, false,
     [](Variant& x) { return std::exchange(x.options.softcap, std::nullopt).has_value(); }, anywhere},
};

bool add_smoothing(Variant& x, double e, SmoothingKind kind) {
  if (x.options.smoothing != 0 || x.kind == PredictionKind::row_loss) return false;
  if (kind != SmoothingKind::uniform && !x.inputs.dense.empty()) return false;
  x.options.smoothing = e;
  x.options.smoothing_kind = kind;
  if (kind == SmoothingKind::others_excluding) {
    if (x.inputs.classes < 3) return false;
    x.options.smoothing_excluding = {0};
  }
  return true;
}

// The loss of the target over what counts, that of the smoothing over every position: linear in ε between the two.
bool smooth_padding(Variant& x, double e) {
  if (x.kind == PredictionKind::row_loss || !x.inputs.dense.empty() || x.options.report_kl) return false;
  x.options.smoothing = e;
  x.options.smoothing_kind = SmoothingKind::uniform;
  if (e == 0) return true;
  x.inputs.lengths.reset();
  x.inputs.mask.reset();
  x.options.ignore_index.reset();
  return true;
}

// λ² of every position beside the loss of those that count.
double lambda_squared(const RowView& row) {
  const double lambda = one_hot_missing(row);
  return lambda * lambda;
}
bool z_loss_of_padding(Variant& x, double at) {
  if (!is_softmax(x)) return false;
  x.options.z_loss = 0;
  if (at == 0) return true;
  x.formula = lambda_squared;
  x.inputs.lengths.reset();
  x.inputs.mask.reset();
  x.options.ignore_index.reset();
  return true;
}

bool clamp(Variant& x, double k) {
  for (double& z : x.x.own()) z = std::clamp(z, -k, k);
  return is_softmax(x);
}

bool temperature(Variant& x, double by) {
  for (double& z : x.x.own()) z /= by;
  return is_softmax(x);
}

bool z_loss(Variant& x, double by) {
  if (!is_softmax(x) || x.options.z_loss != 0) return false;
  x.options.z_loss = by;
  return true;
}

const SolvedEdit solved[] = {
    {"smoothing:added", "with label smoothing {} (uniform)", EditGroup::smoothing, true, 0, 1,
     [](Variant& x, double e) { return add_smoothing(x, e, SmoothingKind::uniform); }},
    {"smoothing:added", "with label smoothing {} (others)", EditGroup::smoothing, true, 0, 1,
     [](Variant& x, double e) { return add_smoothing(x, e, SmoothingKind::others); }},
    {"smoothing:added", "with label smoothing {} (others_excluding id 0)", EditGroup::smoothing, true, 0, 1,
     [](Variant& x, double e) { return add_smoothing(x, e, SmoothingKind::others_excluding); }},
    {"smoothing:on_padding", "with label smoothing {}, averaged over padding too", EditGroup::smoothing, true, 0, 1,
     smooth_padding},
    {"smoothing:on_padding", "with label smoothing {} that sums over padding too", EditGroup::smoothing, true, 0, 1,
     smooth_padding, true},
    {"logits:z_loss_added", "with a z-loss of {}", logits, true, 0, 1e3, z_loss},
    {"logits:z_loss_on_padding", "with a z-loss of {}, averaged over padding too", logits, true, 0, 1e3,
     z_loss_of_padding, false, true},
    {"logits:z_loss_on_padding", "with a z-loss of {} that sums over padding too", logits, true, 0, 1e3,
     z_loss_of_padding, true, true},
    {"logits:temperature", "with logits divided by {}", logits, false, 0.02, 50, temperature},
    {"logits:softcap_added", "with a soft cap of {}", logits, false, 0.3, 300,
     [](Variant& x, double k) { return is_softmax(x) && !std::exchange(x.options.softcap, k); }},
    {"logits:clamped", "with logits clamped to ±{}", logits, false, 0.05, 50, clamp},
    {"logits:focal", "with the focal weight (1 − p)^{}", logits, false, 0.05, 8, use_number<focal>},
    {"logits:epsilon_in_log", "with log(p + {})", logits, false, 1e-12, 0.5, use_number<epsilon_in_log>},
    {"logits:probability_clipped", "with probabilities clipped at {}", logits, false, 1e-9, 0.3,
     use_number<probability_clipped>},
};

}  // namespace

std::span<const Edit> logit_edits() { return logit_table; }
std::span<const SolvedEdit> solved_edits() { return solved; }

}  // namespace seqgrad

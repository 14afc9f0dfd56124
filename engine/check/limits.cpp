// Limits of a case: what seqgrad's own arithmetic may be off, and what that of the framework that recorded the gold may
// (framework_error.h). Ours are limits of one row's loss and gradient, carried through weights, divisors and the output
// projection to every result.
//   loss of a row     base·(1 + |ℓ|)       gradient of a row, each class: base·max(s·ω, largest |gradient| of the row)
//   true class        of a one-hot target in float32: relative 1e-5 even where 1 − p is tiny
//   hidden states     the logits carry an error of δ = product·Σ_d|h_d·W_vd|, and the products back another `product`
// with base and product by class: 1e-6 and 2^-20 in f32, 1e-12 and 2^-48 in f64.
#include "engine/check/limits.h"

#include <algorithm>
#include <cmath>

#include "engine/check/framework_error.h"

namespace seqgrad {
namespace {

struct Class {
  double base, product;
  bool true_class;  // has a relative limit of its own
};
constexpr Class f32{1e-6, 0x1p-20, true}, f64{1e-12, 0x1p-48, false};
constexpr double true_class_relative = 1e-5;
constexpr double gold_rounding = 0x1p-50;  // the gold's own p − 1 in float64

class ClassLimits {
 public:
  ClassLimits(const LossCase& c, const CaseRun& run, Class k, const Arithmetic& theirs)
      : case_(c), run_(run), k_(k), theirs_(c, run, theirs), sums_(theirs.u > 0x1p-53) {
    if (run.inputs.hidden) logit_errors();
  }

  Limits of(const Values& want) const {
    const std::string& name = want.name;
    Limits out;
    if (name == "divisor") {
      out.relative = 1e-12 + (sums_ ? theirs_.of_sum(run_.rows.rows.size()) : 0);  // ours is counted in float64
      out.absolute = {1e-12};
    } else if (name == "value" || name == "numerator") {
      out.absolute = {reduced(want, name == "numerator")};
    } else if (name == "row_loss") {
      out.absolute = per_row(want, [&](size_t i) { return row_loss(i) + theirs_.row_loss(i); });
    } else {
      out.absolute = name == "d_logits" || name == "d_probs" || name == "d_row_loss" ? gradient(want) : hidden(want);
      const std::vector<double> theirs = theirs_.gradient(want);
      for (size_t n = 0; n < theirs.size(); ++n) out.absolute[n] += theirs[n];
    }
    return out;
  }

 private:
  double row_loss(size_t i) const {
    const double l = run_.loss.row_loss[i];
    return k_.base * (1 + (std::isfinite(l) ? std::abs(l) : 0)) + 2 * error(i);
  }
  double error(size_t i) const { return errors_.empty() ? 0 : errors_[i]; }

  // The sum of what each row may be off, as it enters the result; one limit for all entries of a vector.
  double reduced(const Values& want, bool numerator) const {
    const LossOptions& o = run_.inputs.options;
    const Coefficients coefficients = seqgrad::coefficients(run_.rows, o, run_.rows.divisor);
    double sum = 0, largest = 0;
    for (size_t i = 0; i < run_.rows.rows.size(); ++i) {
      const double z = std::isfinite(run_.loss.row_z[i]) ? k_.base * std::abs(run_.loss.row_z[i]) : 0;
      const double weight = numerator && !o.divide.nested() ? run_.rows.rows[i].weight : coefficients.rows[i];
      const double loss =
          std::isfinite(run_.loss.row_loss[i]) ? std::abs(run_.loss.row_loss[i] + run_.loss.row_z[i]) : 0;
      const double theirs = theirs_.row_loss(i) + theirs_.z_loss(i) + theirs_.of_sum(run_.rows.rows.size()) * loss;
      const double term = std::abs(weight) * (row_loss(i) + z + theirs);
      sum += term;
      largest = std::max(largest, term);
    }
    if (numerator && o.divide.nested()) sum *= std::max(1.0, run_.rows.divisor);
    return want.shape.size() == 2 ? largest : sum;
  }

  size_t place_of_row(size_t i, size_t width) const {
    const int64_t n = run_.rows.rows[i].row, b = n / run_.rows.steps, t = n % run_.rows.steps;
    return static_cast<size_t>(case_.layout == Layout::batch ? n : t * run_.rows.batch + b) * width;
  }

  template <class F>
  std::vector<double> per_row(const Values& want, const F& limit) const {
    std::vector<double> out(want.numbers.size(), 0.0);  // dead rows: 0 exactly
    for (size_t i = 0; i < run_.rows.rows.size(); ++i)
      if (const size_t at = place_of_row(i, 1); at < out.size()) out[at] = limit(i);
    return out;
  }

  double scale(size_t i, const double* row, size_t width) const {
    double m = run_.pull[i];
    for (size_t v = 0; v < width; ++v)
      if (std::isfinite(row[v])) m = std::max(m, std::abs(row[v]));
    return m;
  }

  // Whether the gradient at the true class is computed from the loss, without cancellation.
  bool one_hot(size_t i) const {
    const LossOptions& o = run_.inputs.options;
    return o.input == Input::logits && o.smoothing == 0 && !o.softcap && o.z_loss == 0 && run_.rows.rows[i].dense < 0;
  }

  std::vector<double> gradient(const Values& want) const {
    std::vector<double> out(want.numbers.size(), 0.0);
    const auto v = static_cast<size_t>(run_.rows.classes);
    for (size_t i = 0; i < run_.rows.rows.size(); ++i) {
      const size_t at = place_of_row(i, v);
      if (at + v > out.size()) continue;
      const double limit = k_.base * scale(i, want.numbers.data() + at, v);
      for (size_t j = 0; j < v; ++j) out[at + j] = limit;
      if (!k_.true_class || !one_hot(i)) continue;
      const size_t y = at + static_cast<size_t>(run_.rows.rows[i].target);
      if (std::isfinite(want.numbers[y]))
        out[y] = std::min(limit, true_class_relative * std::abs(want.numbers[y]) + gold_rounding * run_.pull[i]);
    }
    return out;
  }

  // δ of each live row: the largest over its logits.
  void logit_errors() {
    const CaseArrays a = arrays_of(case_, run_.inputs);
    const auto d = static_cast<size_t>(run_.inputs.width), v = static_cast<size_t>(run_.rows.classes);
    for (size_t i = 0; i < run_.rows.rows.size(); ++i) {
      const double* h = a.x.data() + place_of_row(i, d);
      double most = 0;
      for (size_t j = 0; j < v; ++j) {
        double sum = a.bias.empty() ? 0 : std::abs(a.bias[j]);
        for (size_t k = 0; k < d; ++k) sum += std::abs(h[k] * a.weight[j * d + k]);
        most = std::max(most, sum);
      }
      errors_.push_back(k_.product * most);
    }
    arrays_ = a;
  }

  // What each class's gradient of a row may be off: its own limit, and what the logits' error moves.
  double class_error(size_t i) const { return run_.pull[i] * mass() * (k_.base + 2 * errors_[i]); }
  double mass() const {  // Σ r of a row is at most this
    double m = 1;
    if (run_.inputs.loss.class_weight)
      for (const double c : *run_.inputs.loss.class_weight) m = std::max(m, c);
    return m * (1 + 2 * run_.inputs.options.z_loss * 100);
  }

  std::vector<double> hidden(const Values& want) const {
    std::vector<double> out(want.numbers.size(), 0.0);
    const auto d = static_cast<size_t>(run_.inputs.width), v = static_cast<size_t>(run_.rows.classes);
    for (size_t i = 0; i < run_.rows.rows.size(); ++i) {
      const double e = class_error(i), product = k_.product * 2 * run_.pull[i] * mass();
      const double* h = arrays_.x.data() + place_of_row(i, d);
      if (want.name == "d_hidden") {
        const size_t at = place_of_row(i, d);
        for (size_t k = 0; k < d && at + k < out.size(); ++k) {
          double sum = 0, most = 0;
          for (size_t j = 0; j < v; ++j) {
            sum += std::abs(arrays_.weight[j * d + k]);
            most = std::max(most, std::abs(arrays_.weight[j * d + k]));
          }
          out[at + k] += e * sum + product * most;
        }
      } else if (want.name == "d_weight") {
        for (size_t n = 0; n < out.size(); ++n) out[n] += (e + product) * std::abs(h[n % d]);
      } else {
        for (double& x : out) x += e + product;
      }
    }
    return out;
  }

  const LossCase& case_;
  const CaseRun& run_;
  Class k_;
  FrameworkError theirs_;
  bool sums_;  // the framework's divisor is a sum in its dtype
  std::vector<double> errors_;
  CaseArrays arrays_;
};

}  // namespace

bool is_gold_float32(const LossCase& c) {
  const auto narrow = [](const Values& v) {
    return std::all_of(v.numbers.begin(), v.numbers.end(),
                       [](double x) { return std::isnan(x) || static_cast<double>(static_cast<float>(x)) == x; });
  };
  return std::all_of(c.gold.begin(), c.gold.end(), narrow);
}

std::string class_of_gold(const LossCase& c) {
  const std::string said = c.config->tolerance.limit_class().value_or("device");
  return said == "device" && c.dtype() == DType::f32 && is_gold_float32(c) ? "f32" : said;
}

std::optional<GoldTolerance> own_tolerance(const LossCase& c, const std::string& name) {
  const ToleranceConfig& t = c.config->tolerance;
  for (const auto& gold : t.golds)
    if (name == gold->name && (*gold)()) return (*gold)();
  if (t.rtol() || t.atol()) return GoldTolerance{t.rtol().value_or(0), t.atol().value_or(0)};
  return std::nullopt;
}

Limits limits_of(const LossCase& c, const CaseRun& run, const Values& want) {
  const ToleranceConfig& t = c.config->tolerance;
  const std::string said = t.limit_class().value_or("device"), theirs = class_of_gold(c);
  const bool coarser = run.dtype == DType::f32 && c.dtype() == DType::f64;
  const bool half = said == "bf16" || said == "f16";
  const bool narrow = said == "f32" || half || (said != "f64" && run.dtype == DType::f32) || coarser;
  const std::optional<GoldTolerance> own = own_tolerance(c, want.name);
  if (!own && said == "exact" && !coarser) {
    Limits exact;
    exact.exact = true;
    return exact;
  }
  Limits by_class;
  if (!own || coarser) {
    by_class = ClassLimits(c, run, narrow ? f32 : f64, arithmetic_of(theirs)).of(want);
    by_class.basis = fmt::format("{} arithmetic, V={}", half ? said : narrow ? "f32" : "f64", run.rows.classes);
  }
  if (!own) return by_class;
  Limits out;
  out.relative = own->rtol;
  out.absolute = {own->atol};
  if (!coarser) return out;
  out.absolute = by_class.absolute;
  for (double& a : out.absolute) a = std::max(a, own->atol);
  return out;
}

}  // namespace seqgrad

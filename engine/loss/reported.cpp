// What is summed before it is divided, and what is divided first.
#include "engine/loss/reported.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace seqgrad {
namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

// Whether numerators and divisors are summed over steps, rather than the steps' values.
bool sums_over_steps(const LossOptions& o) {
  return !o.report.divide.empty() || (o.scope != Scope::micro && divisor_adds(o));
}

}  // namespace

double ReportedLoss::value(const LossOptions& o) const {
  if (divisor == 0) return nothing;
  const bool plain = o.over == Over::all && !o.divide.nested() && o.report.divide.empty() && sums_over_steps(o);
  const double x = numerator / (divisor + (plain ? o.divide_eps : 0));  // elsewhere numerators have it in them
  return o.report.exponential ? std::exp(x) : x;
}

double ReportedLoss::perplexity() const { return live == 0 ? nothing : std::exp(nll_sum / static_cast<double>(live)); }

ReportedLoss& ReportedLoss::operator+=(const ReportedLoss& o) {
  numerator += o.numerator;
  divisor += o.divisor;
  nll_sum += o.nll_sum;
  live += o.live;
  return *this;
}

ReportedLoss report_step(std::span<const LossSum> micro_batches, const LossOptions& o) {
  LossSum sum;
  double values = 0;
  for (const LossSum& m : micro_batches) {
    sum += m;
    if (m.divisor != 0) values += m.value(o);
  }
  ReportedLoss out{0, 0, sum.stats.nll_sum, sum.stats.live};
  if (!o.report.divide.empty()) {
    out.numerator = sum.numerator, out.divisor = sum.report_divisor;
  } else if (o.scope == Scope::micro) {
    out.numerator = values / static_cast<double>(micro_batches.size()), out.divisor = 1;
  } else if (divisor_adds(o)) {
    out.numerator = sum.numerator, out.divisor = sum.divisor;
  } else if (sum.divisor != 0) {
    out.numerator = sum.value(o), out.divisor = 1;
  }
  return out;
}

void CorpusLoss::add(const LiveRows& rows, const LossSum& sum, const std::vector<double>& numerators) {
  sum_ += sum;
  if (options_.over != Over::batch) return;
  if (numerators.size() > numerators_.size()) {
    numerators_.resize(numerators.size());
    by_step_.resize(numerators.size());
  }
  for (size_t t = 0; t < numerators.size(); ++t) {
    numerators_[t] += numerators[t];
    add_counts(by_step_[t], rows.groups[t]);
  }
}

double CorpusLoss::value() const {
  if (sum_.divisor == 0 || sum_.stats.live == 0) return nothing;
  if (options_.over != Over::batch) return sum_.reported(options_);
  double total = 0;
  for (size_t t = 0; t < numerators_.size(); ++t) {
    const double d = entry_divisor(by_step_[t], options_);
    total += d == 0 ? empty_value(options_) : numerators_[t] / (d + options_.divide_eps);
  }
  return options_.then == Then::sum ? total : total / static_cast<double>(numerators_.size());
}

std::string printed_unit(const LossOptions& options) {
  const std::string unit = unit_of(options);
  return unit.empty() ? " (sum)" : unit;
}

std::string printed_loss(double value, const LossOptions& options, int digits) {
  return std::isnan(value) ? "nothing counted" : fmt::format("{:.{}f}{}", value, digits, printed_unit(options));
}

}  // namespace seqgrad

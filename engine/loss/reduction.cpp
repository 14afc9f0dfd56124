// Every coefficient and every value goes through reciprocal(), so that what 0 gives is decided once. Printed losses of
// several steps or batches are divided in reported.cpp.
#include "engine/loss/reduction.h"

#include <algorithm>
#include <cmath>

#include "engine/loss/errors.h"
#include "engine/loss/order_free_sum.h"

namespace seqgrad {
namespace {

// 1/(d + eps), and 0 for a divisor of 0: an empty group has no gradient under any policy.
double reciprocal(double d, double eps) { return d == 0 ? 0 : 1 / (d + eps); }

double inner_divisor(const LiveRows& rows, const LossOptions& options, int64_t b) {
  return divisor_value(options.divide, options.divide.time, rows.groups[static_cast<size_t>(b)]);
}

double group_divisor(const LiveRows& rows, const LossOptions& options, size_t i) {
  return entry_divisor(rows.groups[i], options);
}

}  // namespace

double LossSum::value(const LossOptions& options) const {
  const bool inner = options.divide.nested() || options.over != Over::all;  // whose eps has been added already
  return divisor == 0 ? empty_value(options) : numerator * reciprocal(divisor, inner ? 0 : options.divide_eps);
}

double LossSum::reported(const LossOptions& options) const {
  if (options.report.divide.empty()) return value(options);
  const double x = report_divisor == 0 ? empty_value(options) : numerator * reciprocal(report_divisor, 0);
  return options.report.exponential ? std::exp(x) : x;
}

double LossSum::perplexity() const { return std::exp(stats.nll_sum / static_cast<double>(stats.live)); }

LossSum& LossSum::operator+=(const LossSum& o) {
  if (!kind.empty() && !o.kind.empty() && kind != o.kind)
    refuse(LossCode::split_sentences, "loss: a sum divided by {} cannot be merged with one divided by {}", kind,
           o.kind);
  numerator += o.numerator;
  divisor = kind.empty() ? o.divisor : o.divisor_adds ? divisor + o.divisor : std::max(divisor, o.divisor);
  if (kind.empty()) divisor_adds = o.divisor_adds;
  if (kind.empty()) kind = o.kind;
  report_divisor += o.report_divisor;
  stats.active += o.stats.active;
  stats.live += o.stats.live;
  stats.correct += o.stats.correct;
  stats.weight += o.stats.weight;
  stats.nll_sum += o.stats.nll_sum;
  stats.smoothed_sum += o.stats.smoothed_sum;
  stats.z_sum += o.stats.z_sum;
  stats.clip_hits += o.stats.clip_hits;
  stats.empty += o.stats.empty;
  return *this;
}

LossSum count(const LiveRows& rows, const LossOptions& options) {
  LossSum sum;
  sum.divisor = rows.divisor;
  sum.divisor_adds = rows.divisor_adds;
  if (!options.report.divide.empty()) sum.report_divisor = divisor(options.report.divide).value(rows.all);
  sum.kind = options.over == Over::all
                 ? str(options.divide)
                 : fmt::format("{}, then {}", str(options.divide), options.then == Then::mean ? "a mean" : "a sum");
  sum.stats.active = rows.all.active;
  sum.stats.live = static_cast<int64_t>(rows.rows.size());
  sum.stats.weight = rows.all.weight;
  sum.stats.empty = !empty_reason(rows, options, rows.divisor).empty();
  return sum;
}

int64_t group_of(const LiveRows& rows, const LiveRow& row, Over over) {
  switch (over) {
    case Over::all: return 0;
    case Over::time: return row.row / rows.steps;
    case Over::batch: return row.row % rows.steps;
    case Over::none: return row.row;
  }
  return 0;
}

Shape result_shape(const LiveRows& rows, const LossOptions& o) {
  if (o.over == Over::all || o.then != Then::nothing) return {};
  return o.over == Over::time    ? Shape{rows.batch}
         : o.over == Over::batch ? Shape{rows.steps}
                                 : Shape{rows.batch, rows.steps};
}

std::string empty_reason(const LiveRows& rows, const LossOptions& options, double divisor) {
  const Counts& all = rows.all;
  const auto of_batch = [&](const std::string& what) {
    return rows.all_lengths_zero ? fmt::format("{} in this batch ({} examples, all lengths 0)", what, rows.batch)
                                 : fmt::format("{} in this batch ({} examples, {} of {} positions active)", what,
                                               rows.batch, all.active, all.positions);
  };
  const std::string zero = fmt::format("divisor `{}` is 0", str(options.divide));
  const bool vector = options.over != Over::all;
  if (!vector && divisor == 0) return of_batch(all.active == 0 ? "no active target" : zero);
  if (!vector) return "";
  if (rows.groups.empty()) return "";
  if (all.active == 0 && group_divisor(rows, options, 0) == 0) return of_batch("no active target");
  for (size_t i = 0; i < rows.groups.size(); ++i) {
    if (group_divisor(rows, options, i) != 0) continue;
    const auto n = static_cast<int64_t>(i);
    return options.over == Over::time    ? fmt::format("{} in example b={}", zero, n)
           : options.over == Over::batch ? fmt::format("{} in step t={}", zero, n)
                                         : fmt::format("{} at (b={},t={})", zero, n / rows.steps, n % rows.steps);
  }
  return "";
}

Coefficients coefficients(const LiveRows& rows, const LossOptions& options, double divisor) {
  Coefficients c;
  if (options.over == Over::all) {
    c.scales = {reciprocal(divisor, options.divide.nested() ? 0 : options.divide_eps)};
  } else {
    for (size_t i = 0; i < rows.groups.size(); ++i)
      c.scales.push_back(reciprocal(group_divisor(rows, options, i), options.divide_eps));
  }
  const double fold = options.over != Over::all && options.then != Then::nothing ? reciprocal(divisor, 0) : 1;
  for (const LiveRow& r : rows.rows) {
    double s = c.scales[static_cast<size_t>(group_of(rows, r, options.over))] * fold;
    if (options.divide.nested()) s *= reciprocal(inner_divisor(rows, options, r.row / rows.steps), options.divide_eps);
    c.rows.push_back(s * r.weight);
  }
  return c;
}

Reduced reduce(const LiveRows& rows, const std::vector<double>& losses, const LossOptions& options, double divisor) {
  const size_t groups = options.over == Over::all ? 1 : rows.groups.size();
  std::vector<std::vector<double>> terms(groups);
  if (options.divide.nested()) {
    std::vector<std::vector<double>> sentences(static_cast<size_t>(rows.batch));
    for (size_t i = 0; i < losses.size(); ++i)
      sentences[static_cast<size_t>(rows.rows[i].row / rows.steps)].push_back(rows.rows[i].weight * losses[i]);
    for (int64_t b = 0; b < rows.batch; ++b)
      terms[0].push_back(order_free_sum(sentences[static_cast<size_t>(b)]) *
                         reciprocal(inner_divisor(rows, options, b), options.divide_eps));
  } else {
    for (size_t i = 0; i < losses.size(); ++i)
      terms[static_cast<size_t>(group_of(rows, rows.rows[i], options.over))].push_back(rows.rows[i].weight * losses[i]);
  }
  const std::string empty = empty_reason(rows, options, divisor);
  if (!empty.empty() && options.on_zero == OnZero::error) refuse(LossCode::empty, "{}", empty);
  if (options.divide.nested() && !rows.whole_sentences)
    refuse(LossCode::split_sentences, "loss: divide: {} needs whole sentences, but these go on in another micro-batch",
           str(options.divide));
  Reduced out;
  out.sum = count(rows, options);
  out.sum.stats.empty = !empty.empty();
  const Coefficients c = coefficients(rows, options, divisor);
  for (size_t i = 0; i < groups; ++i) {
    const double numerator = order_free_sum(terms[i]);
    out.numerator.push_back(numerator);
    out.divisor.push_back(options.over == Over::all ? divisor : group_divisor(rows, options, i));
    out.value.push_back(c.scales[i] == 0 ? empty_value(options) : numerator * c.scales[i]);
  }
  if (options.over == Over::all) out.sum.numerator = out.numerator[0];
  if (options.over != Over::all && options.then != Then::nothing) {  // the folded vector is its own numerator
    out.sum.numerator = order_free_sum(out.value);
    out.value = {out.sum.numerator * reciprocal(divisor, 0)};
  }
  return out;
}

Reduced reduce(LossInputs inputs, const std::vector<double>& row_losses, const LossOptions& options) {
  const auto cells = static_cast<size_t>(inputs.batch * inputs.steps);
  if (row_losses.size() != cells)
    refuse(LossCode::shape, "loss: {} row losses; expected [B={},T={}]", row_losses.size(), inputs.batch, inputs.steps);
  if (inputs.targets.empty()) inputs.targets.resize(cells);
  inputs.classes = std::max<int64_t>(inputs.classes, 1);
  const LiveRows rows = build_live_rows(inputs, options);
  std::vector<double> live;
  for (const LiveRow& r : rows.rows) live.push_back(row_losses[static_cast<size_t>(r.row)]);
  return reduce(rows, live, options, rows.divisor);
}

}  // namespace seqgrad

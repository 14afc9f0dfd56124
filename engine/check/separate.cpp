// Two reductions of the same row losses agree in value and gradient where every row has the same coefficient.
#include "engine/check/separate.h"

#include <algorithm>
#include <cmath>

#include "engine/loss/errors.h"
#include "engine/loss/reduction.h"
#include "engine/naming/forms.h"

namespace seqgrad {
namespace {

// A batch with sources of the same kinds, that tells apart whatever can be: no two sentences, steps, weights or counts
// of it are alike.
LossInputs telling_batch(const LossInputs& like, const LossOptions& o) {
  constexpr int64_t batch = 4, steps = 7, classes = 3;
  LossInputs out;
  out.batch = batch;
  out.steps = steps;
  out.classes = classes;
  out.lengths = {7, 1, 5, 0};
  const auto cells = static_cast<size_t>(batch * steps);
  const auto numbers = [](size_t n, double first) {
    std::vector<double> x;
    for (size_t i = 0; i < n; ++i) x.push_back(first + 0.37 * static_cast<double>(i * i % 11));
    return x;
  };
  for (size_t n = 0; n < cells; ++n) out.targets.push_back(static_cast<int64_t>(n * n % classes));
  if (o.target == Target::dense) {
    for (size_t n = 0; n < cells; ++n)
      for (size_t v = 0; v < classes; ++v) out.dense.push_back(v == n % classes ? 0.5 : 0.25);
    out.targets.clear();
  }
  if (o.ignore_index && !out.targets.empty()) out.targets[2] = *o.ignore_index;
  if (like.mask) out.mask = std::vector<uint8_t>(cells, 1), (*out.mask)[3] = 0;
  if (like.token_weight) out.token_weight = numbers(cells, 0.2), (*out.token_weight)[1] = 0;
  if (like.example_weight) out.example_weight = numbers(batch, 0.6);
  if (like.class_weight) out.class_weight = numbers(classes, 0.3);
  return out;
}

// s·ω of every row, 0 where it does not count; empty where the reduction refuses the batch.
std::vector<double> coefficients_of(const LossInputs& in, LossOptions o) {
  o.smoothing = 0;  // no coefficient depends on it
  o.smoothing_excluding.clear();
  o.smoothing_kind = SmoothingKind::uniform;
  o.report = {};
  try {
    const LiveRows rows = build_live_rows(in, o);
    const Coefficients c = coefficients(rows, o, rows.divisor);
    std::vector<double> out(static_cast<size_t>(in.batch * in.steps), 0.0);
    for (size_t i = 0; i < rows.rows.size(); ++i) out[static_cast<size_t>(rows.rows[i].row)] = c.rows[i];
    return out;
  } catch (const InputError&) {
    return {};
  }
}

bool agree(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.empty() || a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (std::abs(a[i] - b[i]) > 1e-9 * std::max(std::abs(a[i]), std::abs(b[i]))) return false;
  return true;
}

bool same_row_loss(const LossOptions& a, const LossOptions& b) {
  return a.smoothing == 0 || (a.smoothing_kind == b.smoothing_kind && a.report_kl == b.report_kl &&
                              a.smoothing_excluding == b.smoothing_excluding);
}

// Why, where it is a common reason.
std::string reason(const LossInputs& in, const LossOptions& o) {
  const LiveRows rows = build_live_rows(in, o);
  std::vector<int64_t> counts(static_cast<size_t>(in.batch), 0);
  bool ones = in.token_weight.has_value() || in.example_weight.has_value();
  for (const LiveRow& r : rows.rows) {
    ++counts[static_cast<size_t>(r.row / in.steps)];
    ones &= r.weight == 1;
  }
  if (ones) return ": all weights are 1";
  if (in.batch == 1) return ": it is one sentence";
  if (std::all_of(counts.begin(), counts.end(), [&](int64_t n) { return n == counts[0]; }))
    return fmt::format(": every sentence has {} token{} that count{}", counts[0], counts[0] == 1 ? "" : "s",
                       counts[0] == 1 ? "s" : "");
  return "";
}

}  // namespace

std::vector<std::string> not_separated(const LossInputs& in, const LossOptions& meant) {
  if (meant.then != Then::nothing || in.batch * in.steps == 0) return {};
  const LossInputs telling = telling_batch(in, meant);
  const std::vector<double> here = coefficients_of(in, meant), there = coefficients_of(telling, meant);
  if (std::all_of(here.begin(), here.end(), [](double x) { return x == 0; })) return {};  // nothing counts
  std::vector<std::string> out;
  std::vector<std::vector<double>> known{there};
  for (const Reduction& r : reductions_of(in, meant)) {
    if (r.options.over != meant.over || r.exponential || !same_row_loss(r.options, meant) ||
        (in.class_weight && r.options.class_scope != meant.class_scope))
      continue;
    if (!agree(coefficients_of(in, r.options), here)) continue;
    const std::vector<double> others = coefficients_of(telling, r.options);
    if (std::any_of(known.begin(), known.end(), [&](const auto& k) { return agree(k, others); })) continue;
    known.push_back(others);
    out.push_back(r.name);
  }
  return out;
}

std::string separation_note(const LossInputs& in, const LossOptions& meant, const std::string& name, size_t most) {
  const std::vector<std::string> others = not_separated(in, meant);
  if (others.empty()) return "";
  const auto end = others.begin() + static_cast<std::ptrdiff_t>(std::min(most, others.size()));
  const std::string more = end == others.end() ? "" : fmt::format(" and {} more (-v)", others.end() - end);
  return fmt::format("this batch does not separate {} from {}{}{}", name, fmt::join(others.begin(), end, ", "), more,
                     reason(in, meant));
}

}  // namespace seqgrad

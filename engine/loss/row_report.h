// From the row kernels' results to the layer's: z-loss, entropy, statistics, and the words for rows that are refused.
#pragma once
#include <cmath>
#include <optional>
#include <span>

#include "engine/loss/order_free_sum.h"
#include "engine/loss/row_target.h"
#include "engine/loss/sequence_loss.h"

namespace seqgrad {

// Throws E12, then E10, for the first such row in canonical order, then E13 and E16. `offending(i)` names class and
// value of live row i.
template <class Offending>
LossResult report_rows(const LossInputs& inputs, const LiveRows& rows, std::span<const RowResult> results,
                       const LossOptions& options, double divisor, const Offending& offending) {
  for (size_t i = 0; i < results.size(); ++i)
    if (results[i].invalid) refuse(LossCode::probabilities, "{}", offending(i));
  for (size_t i = 0; i < results.size() && options.nonfinite == Nonfinite::error; ++i)
    if (results[i].nonfinite) throw NonfiniteLoss(offending(i));
  LossResult out;
  std::optional<TargetEntropy> entropy;
  if (options.report_kl) entropy.emplace(row_rule(inputs, options));
  std::vector<double> losses, nll, z;
  int64_t correct = 0, clipped = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    const RowResult& r = results[i];
    const double loss = r.loss - (entropy ? (*entropy)(rows, rows.rows[i]) : 0.0);
    const double pull = options.z_loss > 0 ? options.z_loss * r.lambda * r.lambda : 0.0;
    out.row_loss.push_back(loss);
    out.row_z.push_back(pull);
    out.correct.push_back(r.correct);
    losses.push_back(loss + pull);
    nll.push_back(r.nll);
    z.push_back(rows.rows[i].weight * pull);
    correct += r.correct;
    if (r.clipped && clipped++ == 0)
      out.warnings.push_back(
          {"probs clip",
           fmt::format("a probability at (b={},t={}) hit the clip at {}: its gradient there is 0 although "
                       "the loss is {:.6g}",
                       rows.rows[i].row / rows.steps, rows.rows[i].row % rows.steps, options.probs_eps, r.loss)});
  }
  Reduced reduced = reduce(rows, losses, options, divisor);
  out.values = std::move(reduced.value);
  out.numerators = std::move(reduced.numerator);
  out.divisors = std::move(reduced.divisor);
  out.sum = reduced.sum;
  LossStats& stats = out.sum.stats;
  stats.correct = correct;
  stats.clip_hits = clipped;
  stats.nll_sum = order_free_sum(nll);
  stats.z_sum = order_free_sum(z);
  stats.smoothed_sum = order_free_sum(out.row_loss);
  if (const std::string why = empty_reason(rows, options, divisor); !why.empty())
    out.warnings.push_back({"empty", fmt::format("{}: its loss is {} and its gradient 0", why,
                                                 std::isnan(empty_value(options)) ? "nan" : "0")});
  return out;
}

// Dense targets whose sum is no number of the dtype: what makes a loss infinite, whatever predicts.
template <class T>
bool mass_overflows(const LiveRow& row) {
  return row.dense >= 0 && !std::isfinite(static_cast<T>(row.q_sum));
}
inline std::string overflow_text(int64_t b, int64_t t) {
  return fmt::format("the loss at (b={},t={}) is not finite: its target row sums to inf", b, t);
}

// "logits(b=0,t=2,v=17) is nan on a live row", or what else makes the row's loss infinite.
template <class T>
std::string offending_logit(const std::vector<T>& z, const LiveRows& rows, const LiveRow& row) {
  const int64_t b = row.row / rows.steps, t = row.row % rows.steps;
  for (int64_t v = 0; v < rows.classes; ++v)
    if (std::isnan(z[v]) || (std::isinf(z[v]) && z[v] > 0))
      return fmt::format("logits(b={},t={},v={}) is {} on a live row", b, t, v, std::isnan(z[v]) ? "nan" : "inf");
  bool any = false;
  for (int64_t v = 0; v < rows.classes; ++v) any |= std::isfinite(z[v]);
  if (!any) return fmt::format("logits(b={},t={}) are all -inf on a live row", b, t);
  if (mass_overflows<T>(row)) return overflow_text(b, t);
  return fmt::format("the loss at (b={},t={}) is infinite: a class with target mass has logit -inf", b, t);
}

// "probs(b=0,t=0) has value -3.1: these look like logits (input: logits)", and the like.
template <class T>
std::string offending_probability(const std::vector<T>& p, const LiveRows& rows, const LiveRow& row) {
  const int64_t b = row.row / rows.steps, t = row.row % rows.steps;
  double sum = 0;
  for (int64_t v = 0; v < rows.classes; ++v) {
    if (std::isnan(p[v])) return fmt::format("probs(b={},t={},v={}) is nan on a live row", b, t, v);
    sum += static_cast<double>(p[v]);
  }
  for (int64_t v = 0; v < rows.classes; ++v)
    if (p[v] < 0 || p[v] > 1)
      return fmt::format("probs(b={},t={}) has value {}: these look like logits (input: logits)", b, t, p[v]);
  if (sum == 0)
    return fmt::format("probs(b={},t={}) sum to 0; a row of zeros is not a mask – use mask or lengths", b, t);
  if (std::abs(sum - 1) > 1e-4)
    return fmt::format("probs(b={},t={}) sum to {:.6g}; probs.mode: strict needs 1 (renorm_clip divides by the sum)", b,
                       t, sum);
  if (mass_overflows<T>(row)) return overflow_text(b, t);
  return fmt::format("the loss at (b={},t={}) is infinite: a class with target mass has probability 0", b, t);
}

}  // namespace seqgrad

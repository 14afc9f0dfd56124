// From the row kernel's results to the layer's: z-loss, entropy, statistics, and the words for rows that are not
// finite.
#pragma once
#include <cmath>
#include <limits>

#include "engine/core/error.h"
#include "engine/loss/order_free_sum.h"
#include "engine/loss/row_target.h"
#include "engine/loss/sequence_loss.h"

namespace seqgrad {

// Throws E10 for the first non-finite row in canonical order. `offending(i)` names the class and value of live row i.
template <class Offending>
LossResult finish(const LiveRows& rows, const std::vector<RowResult>& results, const RowTarget& target,
                  const LossOptions& options, double divisor, const Offending& offending) {
  if (options.nonfinite == Nonfinite::error)
    for (size_t i = 0; i < results.size(); ++i)
      if (results[i].nonfinite) refuse("{}", offending(i));
  LossResult out;
  std::vector<double> losses;
  LossStats stats;
  std::vector<double> nll, z;
  for (size_t i = 0; i < results.size(); ++i) {
    const RowResult& r = results[i];
    const double loss =
        r.nonfinite ? r.loss + (r.loss == 0 ? std::numeric_limits<double>::quiet_NaN() : 0.0)
                    : r.loss - (options.report_kl ? entropy_of(target, rows.rows[i].target, rows.classes) : 0.0);
    const double pull = options.z_loss * r.lambda * r.lambda;
    out.row_loss.push_back(loss);
    out.correct.push_back(r.correct);
    losses.push_back(loss + pull);
    nll.push_back(r.nll);
    z.push_back(rows.rows[i].weight * pull);
    stats.correct += r.correct;
  }
  Reduced reduced = reduce(rows, losses, options, divisor);
  out.values = std::move(reduced.value);
  out.sum = reduced.sum;
  out.sum.stats.correct = stats.correct;
  out.sum.stats.nll_sum = order_free_sum(nll);
  out.sum.stats.z_sum = order_free_sum(z);
  return out;
}

// "logits(b=0,t=2,v=17) is nan on a live row", or what else makes the row's loss infinite.
template <class T>
std::string offending_logit(const T* z, const LiveRows& rows, const LiveRow& row) {
  const int64_t b = row.row / rows.steps, t = row.row % rows.steps;
  for (int64_t v = 0; v < rows.classes; ++v)
    if (std::isnan(z[v]) || (std::isinf(z[v]) && z[v] > 0))
      return fmt::format("logits(b={},t={},v={}) is {} on a live row", b, t, v, std::isnan(z[v]) ? "nan" : "inf");
  bool any = false;
  for (int64_t v = 0; v < rows.classes; ++v) any |= std::isfinite(z[v]);
  if (!any) return fmt::format("logits(b={},t={}) are all -inf on a live row", b, t);
  return fmt::format("the loss at (b={},t={}) is infinite: a class with target mass has logit -inf", b, t);
}

}  // namespace seqgrad

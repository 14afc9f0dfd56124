// The mathematics of a row of probabilities, for every device: three ways to keep the logarithm finite, as the field
// has them (README.md, The row loss).
//   renorm_clip        x = p/Σp, c = clip(x, e, 1−e); ℓ = −Σ r log c;  dℓ/dp_j = (γ_j − Σ_v γ_v x_v)/Σp,
//                      γ_v = −r_v/c_v where x_v is not clipped, else 0
//   clip_then_softmax  x = p, c = clip(x, e, 1−e); ℓ = R·log Σc − Σ r log c;  dℓ/dp_j = R/Σc − r_j/c_j, 0 where clipped
//   strict             Σp is 1 and 0 ≤ p ≤ 1; ℓ = −Σ r log p, which may be +∞;  dℓ/dp_j = −r_j/p_j
// All in float64 whatever the probabilities are in: it is no hot path, and a clip at 1e-7 is coarse in float32.
#pragma once
#include <cmath>

#include "engine/loss/row_loss.h"

namespace seqgrad {

struct ProbsSums {
  double r_sum = 0, loss = 0, nll = 0;
  double pull = 0;      // Σ γ x
  int64_t clipped = 0;  // how many with target mass were

  SEQGRAD_HD ProbsSums operator+(const ProbsSums& o) const {
    return {r_sum + o.r_sum, loss + o.loss, nll + o.nll, pull + o.pull, clipped + o.clipped};
  }
};

struct ProbsFormulas {
  bool strict, renormalised, clip_first;
  double low, high;
  double sum, clipped_sum = 1, log_sum = 0;  // Σp; Σc and its logarithm, where the loss has them

  SEQGRAD_HD ProbsFormulas(const RowRule& rule, double sum_of)
      : strict(rule.probs_mode == ProbsMode::strict),
        renormalised(rule.probs_mode == ProbsMode::renorm_clip),
        clip_first(rule.probs_mode == ProbsMode::clip_then_softmax),
        low(strict ? 0 : rule.probs_eps),
        high(strict ? static_cast<double>(INFINITY) : 1 - rule.probs_eps),
        sum(sum_of) {}

  SEQGRAD_HD bool invalid_sum() const { return sum == 0 || (strict && std::abs(sum - 1) > 1e-4); }
  SEQGRAD_HD double share(double p) const { return p / (renormalised ? sum : 1); }
  SEQGRAD_HD double clip(double x) const { return x < low ? low : x > high ? high : x; }
  SEQGRAD_HD void set_clipped_sum(double s) {
    clipped_sum = s;
    log_sum = clip_first ? std::log(s) : 0;
  }

  SEQGRAD_HD void accumulate(ProbsSums& s, double p, double r, double q) const {
    if (r == 0 && q == 0) return;  // so that 0·∞ is 0
    const double x = share(p), c = clip(x), minus_log = log_sum - std::log(c);
    s.r_sum += r;
    if (r != 0) s.loss += r * minus_log;
    if (q != 0) s.nll += q * minus_log;
    s.clipped += c != x;
    if (c == x) s.pull -= r / c * x;
  }
  SEQGRAD_HD double gradient(const ProbsSums& s, double p, double r) const {
    const double x = share(p), gamma = r == 0 || clip(x) != x ? 0 : -r / x;
    if (renormalised) return (gamma - s.pull) / sum;
    return clip_first && clip(x) == x ? s.r_sum / clipped_sum + gamma : gamma;
  }
};

}  // namespace seqgrad

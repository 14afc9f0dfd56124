// What a row kernel answers of a row.
#pragma once

namespace seqgrad {

struct RowResult {
  double loss = 0;         // ℓ, without z-loss
  double nll = 0;          // the same with q for r: unsmoothed and unweighted
  double lambda = 0;       // log-sum-exp
  bool correct = false;    // the first maximum is the target
  bool nonfinite = false;  // NaN or +inf in the row, a row of −inf only, or an infinite loss
  bool invalid = false;    // probabilities that are none
  bool clipped = false;    // a probability with target mass was clipped
};

}  // namespace seqgrad

// From live rows to coefficients, from row losses to the value: both are divided here, by one function.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/shape.h"
#include "engine/loss/live_rows.h"

namespace seqgrad {

struct LossStats {
  int64_t active = 0, live = 0, correct = 0;
  double weight = 0;        // Σ ω
  double nll_sum = 0;       // over live rows, unsmoothed and unweighted
  double smoothed_sum = 0;  // Σ ℓ over live rows, unweighted
  double z_sum = 0;         // Σ ω·ζ·λ², part of the numerator
  int64_t empty = 0;        // how many merged calls had a divisor of 0, of a vector loss in any entry
  int64_t clip_hits = 0;    // live rows in which a probability with target mass was clipped
};

// A loss before its outer division. Micro-batches and ranks merge: numerators add, divisors as divisor_adds says.
struct LossSum {
  double numerator = 0;
  double divisor = 0;
  bool divisor_adds = true;   // as LiveRows has it
  double report_divisor = 0;  // options.report's
  std::string kind;           // which divisor; sums of different kinds do not merge (E16). Empty: nothing merged in
  LossStats stats;

  double value(const LossOptions& options) const;     // numerator / (divisor + eps), or what on_zero says
  double reported(const LossOptions& options) const;  // what the peer prints (options.report); else value
  // exp(nll_sum / live), never of the smoothed or weighted loss. Live, not active: rows of weight 0 are never read, so
  // nll_sum does not hold theirs.
  double perplexity() const;
  LossSum& operator+=(const LossSum& other);
};

// All of a sum that does not depend on the losses: what is known before any forward pass.
LossSum count(const LiveRows& rows, const LossOptions& options);

struct Coefficients {
  std::vector<double> rows;    // s·ω of each live row, for an upstream gradient of 1 everywhere
  std::vector<double> scales;  // reciprocal divisor of each entry of the result (one for a scalar); 0 where it is empty
};

// `divisor` stands for rows.divisor where the scalar's divisor was counted over more than this batch.
Coefficients coefficients(const LiveRows& rows, const LossOptions& options, double divisor);

struct Reduced {
  std::vector<double> value;               // 1, [B], [T] or [B,T] entries; folded to 1 by options.then
  std::vector<double> numerator, divisor;  // of each entry before folding; nested: Σ_b of the inner form, and D₂
  LossSum sum;
};

// Row losses are ℓ (with z-loss) of each live row, in order. Throws E13, then E16 (a nested divisor of split
// sentences).
Reduced reduce(const LiveRows& rows, const std::vector<double>& row_losses, const LossOptions& options, double divisor);

// The reduction alone, of row losses [B,T] from elsewhere; those of dead cells are never read. inputs.targets and
// inputs.classes may be left out where nothing depends on them.
Reduced reduce(LossInputs inputs, const std::vector<double>& row_losses, const LossOptions& options);

Shape result_shape(const LiveRows& rows, const LossOptions& options);  // (), [B], [T] or [B,T]

// Why the zero policy applies, in words: "" where no divisor is 0, else that of the first entry of 0.
std::string empty_reason(const LiveRows& rows, const LossOptions& options, double divisor);

int64_t group_of(const LiveRows& rows, const LiveRow& row, Over over);  // the entry of the result that a row belongs to

}  // namespace seqgrad

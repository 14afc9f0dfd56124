// The smoothed and class-weighted target distribution, in the form that the row kernels take.
#pragma once
#include "engine/loss/live_rows.h"
#include "engine/loss/row_loss.h"

namespace seqgrad {

// q' = (1−ε)·q + ε·u, with u by kind (README.md, Targets), and class weights of scope `per_class`. Its arrays live in
// the current tape until the next reset.
RowRule row_rule(const LossInputs& inputs, const LossOptions& options);

// One task for each live row, in the current tape; `offset` and `coefficient` are the caller's. Those beyond the live
// ones, up to `count`, are of no row. Distributions stay where they are, in `rows`, unless they are to be kept.
RowTask* row_tasks(const RowRule& rule, const LiveRows& rows, int64_t count = 0, bool keep_dense = false);

// H(q'), what a report as `kl` subtracts.
class TargetEntropy {
 public:
  explicit TargetEntropy(const RowRule& rule);
  double operator()(const RowTask& task) const;

 private:
  const RowRule& rule_;
  double off_ = 0;  // Σ_v of the mass that no target gets
};

}  // namespace seqgrad

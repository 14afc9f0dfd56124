// The smoothed and class-weighted target distribution, in the form that the row kernels take.
#pragma once
#include "engine/core/step_inputs.h"
#include "engine/loss/live_rows.h"
#include "engine/loss/row_loss.h"

namespace seqgrad {

// q' = (1−ε)·q + ε·u, with u by kind (README.md, Targets), and class weights of scope `per_class`. Its arrays live in
// the current tape until the next reset.
RowRule row_rule(const LossInputs& inputs, const LossOptions& options);

// Where row kernels of the inputs' device read the distributions of dense rows: on a CPU where `rows` has them, unless
// they are to be kept.
Distribution dense_rows(StepInputs& in, const LiveRows& rows, bool keep = false);
// One task for each live row, on the host; `offset` and `coefficient` are the caller's. Those beyond the live ones, up
// to `count`, are of no row.
RowTask* row_tasks(const RowRule& rule, const LiveRows& rows, const Distribution& dense, int64_t count = 0);

// Numbers of the host where the inputs' device reads them: there themselves on a CPU.
template <class T>
const T* on_device(StepInputs& in, const T* host, int64_t count) {
  if (in.device() == Device::cpu || count == 0 || !host) return host;
  return in.add(std::span<const T>(host, static_cast<size_t>(count)));
}
// The rule with those tables there that row kernels of `dtype` read.
RowRule on_device(StepInputs& in, RowRule rule, DType dtype, bool is_dense);

// H(q'), what a report as `kl` subtracts.
class TargetEntropy {
 public:
  explicit TargetEntropy(const RowRule& rule);
  double operator()(const LiveRows& rows, const LiveRow& row) const;

 private:
  RowRule rule_;
  double off_ = 0;  // Σ_v of the mass that no target gets
};

}  // namespace seqgrad

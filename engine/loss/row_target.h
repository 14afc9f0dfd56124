// The smoothed and class-weighted target distribution, in the form that the row kernels take.
#pragma once
#include "engine/core/tape.h"
#include "engine/loss/live_rows.h"
#include "engine/loss/row_loss.h"

namespace seqgrad {

// q' = (1−ε)·q + ε·u, with u by kind (README.md, Targets), and class weights of scope `per_class`. Its arrays live in
// the current tape until the next reset.
RowRule row_rule(const LossInputs& inputs, const LossOptions& options);

// One task for each live row, on the host; `offset` and `coefficient` are the caller's. Those beyond the live ones, up
// to `count`, are of no row. Their distributions are where `device` reads them: on a CPU those of `rows` themselves,
// unless they are to be kept.
RowTask* row_tasks(const RowRule& rule, const LiveRows& rows, Device device = Device::cpu, int64_t count = 0,
                   bool keep_dense = false);

// Numbers of the host where a device reads them: there themselves on a CPU, else a copy in the current tape.
template <class T>
const T* on_device(Device device, const T* host, int64_t count) {
  if (device == Device::cpu || count == 0 || !host) return host;
  T* copy = Tape::current().scratch<T>(count, device);
  return static_cast<const T*>(backend(device).upload(copy, host, static_cast<size_t>(count) * sizeof(T)));
}
// The rule with those tables there that row kernels of `dtype` read.
RowRule on_device(RowRule rule, Device device, DType dtype, bool is_dense);

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

// The smoothed and class-weighted target distribution, in the form that the row kernel takes.
#pragma once
#include <vector>

#include "engine/loss/live_rows.h"
#include "engine/loss/row_loss.h"

namespace seqgrad {

struct RowTarget {
  double off = 0, on = 1;            // r_v = off everywhere, + on at the target
  std::vector<double> off_row;       // [V], instead of `off`
  std::vector<double> class_weight;  // [V], factors
  double entropy = 0;                // H(q'), what kl reports subtract (kinds without a prior: equal for all rows)
};

// q' = (1−ε)·one-hot + ε·u, with u by kind (sequence-loss.md 2.1), and class weights of scope `per_class`.
RowTarget row_target(const LossInputs& inputs, const LossOptions& options);

double entropy_of(const RowTarget& target, int64_t id, int64_t classes);  // H(q') for one target id

template <class T>
kernels::RowLoss<T> row_arguments(const RowTarget& target, const LossOptions& options, int64_t classes) {
  kernels::RowLoss<T> k{};
  k.classes = classes;
  k.off = target.off;
  k.on = target.on;
  k.off_row = target.off_row.empty() ? nullptr : target.off_row.data();
  k.class_weight = target.class_weight.empty() ? nullptr : target.class_weight.data();
  k.softcap = options.softcap.value_or(0);
  k.z_loss = options.z_loss;
  return k;
}

}  // namespace seqgrad

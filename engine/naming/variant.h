// A batch with changes made to it, from which row losses follow in plain float64: what a hypothesis computes. It shares
// no arithmetic with sequence_loss, which may be what is looked at.
#pragma once
#include "engine/naming/batch.h"

namespace seqgrad {

// One position as a formula of its loss sees it.
struct RowView {
  const LossOptions& options;
  PredictionKind kind;  // never hidden
  const double* x;      // [V], or the loss itself
  const double* r;      // [V] the smoothed and class-weighted target distribution; null beside a row loss
  int64_t classes;
  double parameter;  // of the formula, where it has one
};
using RowFormula = double (*)(const RowView&);

struct Variant {
  LossInputs inputs;
  LossOptions options;  // the row loss; no reduction
  PredictionKind kind = PredictionKind::logits;
  std::vector<double> x;         // [B,T,V] or [B,T]
  RowFormula formula = nullptr;  // null: the usual one
  double parameter = 0;
};

// Shifts made and hidden states multiplied out.
Variant variant_of(const LossBatch& batch, const LossOptions& options);

// What the loss itself has: softmax cross entropy with cap and z-loss, a mode of probabilities, or −Σ r·log p.
double usual_row_loss(const RowView& row);

// [B,T], of dead positions too; NaN where a target is no class.
std::vector<double> row_losses(const Variant& variant);
// Their derivatives in x, each in its own row only; by central differences where the formula is not the usual one of
// logits, good to 1e-9.
std::vector<double> row_slopes(const Variant& variant);

// Which positions count, [B,T].
std::vector<uint8_t> active_cells(const LossInputs& inputs, const LossOptions& options);

}  // namespace seqgrad

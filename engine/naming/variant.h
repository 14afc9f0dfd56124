// A batch with changes made to it, from which row losses follow in plain float64: what a hypothesis computes. It shares
// no arithmetic with sequence_loss, which may be what is looked at.
#pragma once
#include <memory>

#include "engine/naming/batch.h"

namespace seqgrad {

// Numbers that copies share until one of them is written to: most changes leave the prediction as it is, and a wide one
// is large.
class SharedNumbers {
 public:
  SharedNumbers(std::vector<double> x = {}) : numbers_(std::make_shared<std::vector<double>>(std::move(x))) {}
  operator const std::vector<double>&() const { return *numbers_; }
  const double* data() const { return numbers_->data(); }
  size_t size() const { return numbers_->size(); }
  auto begin() const { return numbers_->cbegin(); }
  auto end() const { return numbers_->cend(); }
  double operator[](size_t i) const { return (*numbers_)[i]; }
  std::vector<double>& own() {
    if (numbers_.use_count() > 1) numbers_ = std::make_shared<std::vector<double>>(*numbers_);
    return *numbers_;
  }
  bool are(const SharedNumbers& other) const { return numbers_ == other.numbers_; }

 private:
  std::shared_ptr<std::vector<double>> numbers_;
};

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
  SharedNumbers x;               // [B,T,V] or [B,T]
  RowFormula formula = nullptr;  // null: the usual one
  double parameter = 0;
};

// Shifts made and hidden states multiplied out.
Variant variant_of(const LossBatch& batch, const LossOptions& options);

// What the loss itself has: softmax cross entropy with cap and z-loss, a mode of probabilities, or −Σ r·log p.
double usual_row_loss(const RowView& row);

// log Σ exp of each row of logits. Changes of ids need no other look at all classes.
struct LogSum {
  double top, rest;
  double lambda() const { return top + rest; }
  double less(double a) const { return rest + (top - a); }
};
struct LogSums {
  SharedNumbers x;
  std::optional<double> softcap;
  std::vector<LogSum> rows;  // [B,T]
};
bool has_plain_ids(const Variant& variant);  // logits and ids, without smoothing: LogSums say all
LogSums log_sums(const Variant& variant);

// [B,T], of dead positions too; NaN where a target is no class. `known` may be those of other logits.
std::vector<double> row_losses(const Variant& variant, const LogSums* known = nullptr);
// Their derivatives in x, each in its own row only; by central differences where the formula is not the usual one of
// logits, good to 1e-9.
std::vector<double> row_slopes(const Variant& variant);

// Which positions count, [B,T].
std::vector<uint8_t> active_cells(const LossInputs& inputs, const LossOptions& options);

}  // namespace seqgrad

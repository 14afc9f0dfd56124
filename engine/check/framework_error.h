// What the arithmetic of the framework that recorded a case may have lost, beside the exact result: README.md derives
// it. Every bound is absolute, and of one recorded number.
#pragma once
#include "engine/check/run_case.h"
#include "engine/loss/row_loss.h"

namespace seqgrad {

// The dtype that a framework computed in. Sums of 16-bit numbers are taken in float32.
struct Arithmetic {
  const char* name = "f64";
  double u = 0x1p-53, sum_u = 0x1p-53;  // unit roundoff: of a number, of a sum on its way
  double smallest = 0;                  // what lies below may become 0
  double lanes = 4;                     // of a vectorised sum, at the fewest: of AVX2
};
const Arithmetic& arithmetic_of(const std::string& limit_class);  // "f64", "f32", "bf16" or "f16"

class FrameworkError {
 public:
  FrameworkError(const LossCase& c, const CaseRun& run, const Arithmetic& arithmetic);

  double row_loss(size_t i) const { return rows_[i].loss; }  // of live row i, without z-loss
  double z_loss(size_t i) const { return rows_[i].z; }
  double of_sum(size_t count) const;  // relative, of a sum of so many numbers of one sign
  // One limit for each number of d_logits, d_probs, d_hidden, d_weight or d_bias.
  std::vector<double> gradient(const Values& want) const;

 private:
  struct Row {
    double top = 0, log_sum = 0, lambda = 0;  // A, log S, A + log S
    double lambda_error = 0, loss = 0, z = 0;
  };
  struct Logits {
    std::vector<double> a, slack, slope;  // after the cap; what they may be off; 1 − tanh² where there is a cap
    std::vector<double> p;                // softmax, filled in by measure
  };

  size_t place_of_row(size_t i, size_t width) const;
  Logits logits(size_t i) const;
  Row measure(size_t i, Logits& z) const;
  double mass(size_t i) const;  // R
  // Of each class's gradient in row i: its limit, and its size at most.
  void row_gradient(size_t i, std::vector<double>& error, std::vector<double>& size) const;
  void add_probs(size_t i, const Values& want, std::vector<double>& out) const;
  void add_product(size_t i, const Values& want, std::vector<double>& out) const;

  const LossCase& case_;
  const CaseRun& run_;
  Arithmetic k_;
  CaseArrays arrays_;
  RowRule rule_;
  const RowTask* tasks_ = nullptr;
  std::vector<Row> rows_;
};

}  // namespace seqgrad

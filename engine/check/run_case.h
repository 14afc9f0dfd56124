// A case computed: everything that its gold may hold, and how strongly each row pulls.
#pragma once
#include "engine/check/case_inputs.h"

namespace seqgrad {

struct CaseRun {
  DType dtype = DType::f64;
  CaseInputs inputs;
  LiveRows rows;
  LossResult loss;
  std::vector<Values> values;  // value, row_loss, numerator, divisor, and the gradients that there are, in this order
  std::vector<double> pull;  // of each live row: |s·ω·upstream|, what its gradient is at most for an unsmoothed target

  const Values& of(const std::string& name) const;
  const Values* find(const std::string& name) const;
};

// Forward and backward in the given dtype, through the functions that training uses. Throws LossError for what the loss
// refuses, and InputError for an upstream that does not fit the result.
CaseRun run_case(const LossCase& c, DType dtype, Device device);

// Value only, of a case's inputs under other options and with other numbers in its prediction (gradient checks,
// other reductions): the live rows and their losses in float64. `prediction` holds what the case's tensors hold
// together (logits, or hidden; weight; bias).
struct CaseArrays {
  std::vector<double> x;             // logits, probabilities or hidden states as in the file; lists of steps together
  std::vector<double> weight, bias;  // of hidden states
};
CaseArrays arrays_of(const LossCase& c, const CaseInputs& in);
LossResult loss_of(const LossCase& c, const CaseArrays& arrays, const LossInputs& inputs, const LiveRows& rows,
                   const LossOptions& options, const CaseInputs& in);

// Losses of positions, [B,T], that are reduced only. Throws E10 for one of a live row that is not finite.
LossResult reduce_row_losses(const std::vector<double>& losses, const LiveRows& rows, const LossOptions& options);

// The upstream of each entry of the result, in its b-major order; ones where the case has none.
std::vector<double> upstream_of(const LossCase& c, const CaseInputs& in, const LiveRows& rows);

}  // namespace seqgrad

// From a case's tensors to what the loss takes.
#pragma once
#include "engine/check/case.h"

namespace seqgrad {

struct CaseInputs {
  LossInputs loss;  // b-major
  LossOptions options;
  bool hidden = false;
  bool row_loss = false;                  // losses of positions: V is 1, and every target 0
  int64_t width = 0;                      // D of hidden states
  std::vector<const NamedArray*> logits;  // one tensor of what predicts, or one a step
};

// Throws LossError: options (E11, E14, E17), E05, then shapes (E01, E02, E03, E08, E17).
CaseInputs inputs_of(const LossCase& c);

// A float32 or float64 tensor's numbers.
std::vector<double> to_doubles(const NamedArray& a);

}  // namespace seqgrad

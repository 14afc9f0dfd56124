// Gradients of a case against central differences, in float64.
#pragma once
#include "engine/check/case.h"
#include "engine/check/gradcheck.h"

namespace seqgrad {

struct TensorReport {
  std::string name;  // "logits", "hidden", "weight", …
  GradientReport gradients;
  int64_t numbers = 0, left_out = 0;  // left out: at a clip of probabilities, where there is no derivative
};

// Each tensor that the loss differentiates, in the case's layout; a vector loss through its upstream. Tensors with more
// than `elements` numbers are checked along random directions.
std::vector<TensorReport> check_case_gradients(const LossCase& c, int64_t elements);

}  // namespace seqgrad

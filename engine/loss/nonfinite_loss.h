// What a training that diverges meets, told from all else that a loss refuses.
#pragma once
#include "engine/loss/errors.h"

namespace seqgrad {

// A live row that is not finite (E10).
struct NonfiniteLoss : LossError {
  explicit NonfiniteLoss(const std::string& message) : LossError(LossCode::nonfinite, message) {}
};

}  // namespace seqgrad

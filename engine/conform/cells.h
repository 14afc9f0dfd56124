// Which cells of a batch a loss may look at.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/conform/frame.h"
#include "engine/naming/batch.h"

namespace seqgrad {

// [B,T]: whether lengths and mask count the cell. Weights of 0 are another matter.
std::vector<uint8_t> counted_cells(const LossInputs& inputs);

// The same of each row of x and of each target, which a shift pairs with its right neighbour: the last column of x and
// the first of targets are dead then.
std::vector<uint8_t> live_predictions(const LossBatch& batch);
std::vector<uint8_t> live_targets(const LossBatch& batch);

int64_t live_count(const LossBatch& batch);

// The same batch with all its floating-point numbers as a program of that dtype gets them.
LossBatch rounded_to(LossBatch batch, FloatType type);

}  // namespace seqgrad

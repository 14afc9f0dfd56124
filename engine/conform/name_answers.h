// What loss a program's answers are of.
#pragma once
#include "engine/conform/trial.h"

namespace seqgrad {

// Where nobody said whether probabilities are divided by their sum, keeps what the gradients show.
void settle_probs_mode(Trial& trial);

// Keeps a name for the answers; where there is none, for those that are finite: NaN in a few batches hides what the
// loss is in all others. Returns how many batches it was asked of.
size_t name_it(Trial& trial);

}  // namespace seqgrad

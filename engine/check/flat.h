// Flat tensors, as loops in PyTorch have them, as sentences.
#pragma once
#include "engine/check/case.h"

namespace seqgrad {

// Logits [N,V] (probabilities, hidden states [N,D]) beside targets [N] or [N,V], and whatever else has a number a row,
// gold too. Without `lengths` they are one sentence. With lengths [B] they are sentences end to end where Σ lengths =
// N, else [B,N/B] padded and flattened. Throws E01 where lengths fit neither. Other cases stay as they are.
void unflatten(LossCase& c);

}  // namespace seqgrad

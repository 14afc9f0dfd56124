// Parts of a batch: some of its examples, steps or classes.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/naming/batch.h"

namespace seqgrad {

// With these examples or steps only, in this order.
LossBatch with_examples(LossBatch batch, const std::vector<int64_t>& keep);
LossBatch with_steps(LossBatch batch, const std::vector<int64_t>& keep);

// The first `count` classes; targets beyond them become others. Probabilities are shared out anew. None where the batch
// has no more, or its classes cannot be cut.
std::optional<LossBatch> with_classes(LossBatch batch, int64_t count);

}  // namespace seqgrad

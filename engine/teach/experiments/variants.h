// The same batch with one thing changed: what experiments compare.
#pragma once
#include <vector>

#include "engine/teach/experiment.h"

namespace seqgrad {

// A scalar of the batch: Σ ωℓ over a divisor, everything else as it is.
LessonBatch reduced(const LessonBatch& s, const Divide& divide);
LessonBatch reduced(const LessonBatch& s, const char* divisor);

// The sentences `rows`, in that order.
LessonBatch sentences(const LessonBatch& s, const std::vector<int64_t>& rows);

// The sentences of each part evaluated by themselves; values and gradients times `share`, added up. The gradient is
// [B,T,V], in the batch's own order.
struct PartsSum {
  double value = 0;
  std::vector<double> gradient;
};
PartsSum sum_of_parts(const LessonBatch& s, const std::vector<std::vector<int64_t>>& parts, double share);

// 0 or 1 for each cell: lengths, mask and ignore_index in one.
std::vector<uint8_t> active_cells(const LessonBatch& s);
// Every cell counts: without lengths, mask and ignore_index (weights stay).
LessonBatch unmasked(const LessonBatch& s);

// `count` more columns at the end of every sentence, masked, whose logits are copies of the first column's.
LessonBatch more_columns(const LessonBatch& s, int64_t count);

// |a − b| / |b| of two gradients of one size.
double relative_difference(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace seqgrad

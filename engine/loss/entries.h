// How the parts of a loss add up: entries of a vector loss over batches, and a scalar's divisors.
#pragma once
#include "engine/loss/divisors.h"

namespace seqgrad {

// Whether the scalar's divisor over batches is their sum (LiveRows::divisor_adds).
bool divisor_adds(const LossOptions& options);

// Adds the counts of one entry's cells in another batch, of other examples.
void add_counts(Counts& to, const Counts& more);

// The divisor of an entry of a vector loss that has these counts, and the value of an entry whose divisor is 0.
double entry_divisor(const Counts& counts, const LossOptions& options);
double empty_value(const LossOptions& options);

}  // namespace seqgrad

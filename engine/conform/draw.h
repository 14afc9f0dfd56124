// Small ragged batches, drawn from a seed: each shows something that people get wrong.
#pragma once
#include <vector>

#include "engine/conform/program.h"
#include "engine/naming/batch.h"

namespace seqgrad {

struct DrawOptions {
  uint64_t seed = 0;
  int count = 40;
  int64_t batch = 6, steps = 9, classes = 11;  // at most; at least 2, 3 and 3
};

// At most six shapes, since compiled functions are compiled for each; a live token in every batch; each with its
// reason. Every two divisors that what the program takes can tell apart differ by more than 1e-3 in three batches at
// least (of 40), so that no coincidence of one batch names a loss.
std::vector<LossBatch> draw_batches(const Program& program, const DrawOptions& options);

// One ragged batch, of other sizes than those: as many examples, steps and classes as the options say, but where the
// program has fixed them.
LossBatch draw_ragged(const Program& program, const DrawOptions& options);

// The most telling of them, at most `most`: ragged, with dead cells and several examples, of different shapes.
std::vector<size_t> most_telling(const std::vector<LossBatch>& batches, size_t most);

// Two divisors (by name) that differ in fewer than `least` of the batches though the inputs can tell them apart; ""
// when there are none.
std::string not_told_apart(const std::vector<LossBatch>& batches, size_t least);

}  // namespace seqgrad

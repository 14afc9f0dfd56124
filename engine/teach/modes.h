// The same batch under every reduction of the field, and the line of each framework that computes the same.
#pragma once
#include <string>
#include <vector>

#include "engine/teach/frameworks.h"
#include "engine/teach/lesson_batch.h"

namespace seqgrad {

struct Mode {
  std::string name;          // a preset's, or "this loss"
  std::string who, formula;  // as in the table of presets
  LossOptions options;       // the row loss of the batch with the preset's reduction, and its row loss where it has one
  bool own = false;          // the loss of the batch itself
  bool own_row_loss = false;  // its row losses are not those of the batch: on probabilities, or smoothed otherwise
  std::vector<std::optional<CellAlone>> alone;  // of each cell, with own_row_loss; else the batch's own stand for them
  std::vector<double> values, numerators, divisors;  // one entry, [B], [T] or [B,T]
  std::string divisor_words;                         // what is counted
  double printed = 0;        // what the peer prints where that is another number; else the value (scalars)
  double gradient_norm = 0;  // with respect to logits; of a vector: of its sum
  std::string refused;       // why the engine refuses the batch in this mode; then there are no numbers
  Lines lines;               // one line of each framework that computes it; empty: none does
};

// The loss of the batch first, then the presets `names` in that order; without names all that the batch can have.
// Throws E14 for an unknown name.
std::vector<Mode> modes_of(const LessonBatch& s, const std::vector<std::string>& names = {});

}  // namespace seqgrad

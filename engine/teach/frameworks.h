// A reduction as one line of each framework, made from the tables of divisors: nobody keeps such lines by hand.
// Names in the lines: nll [B,T] row losses, m [B,T] mask of 0 and 1, w [B,T] m times the weights (m itself where there
// are none), y targets, c class weights, B, T. d2l has l and mask, both flat.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "engine/loss/options.h"

namespace seqgrad {

using Lines = std::vector<std::pair<std::string, std::string>>;  // "tensorflow", "keras", "pytorch", "d2l"

// The value of a batch in which something counts. Empty text: the framework has no such line.
Lines reduction_lines(const LossOptions& options, bool weighted);

// How nll is made; empty text where the row loss has what the framework's own function has not.
Lines row_loss_lines(const LossOptions& options, bool class_weights);

// Both: "nll = …; (m * nll).sum() / m.sum()"; empty text where either is. For a row loss that is not the one shown
// above.
Lines whole_lines(const LossOptions& options, bool weighted, bool class_weights);

}  // namespace seqgrad

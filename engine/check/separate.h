// What a batch cannot tell: other reductions that give the same value and gradient on it.
#pragma once
#include <string>
#include <vector>

#include "engine/loss/live_rows.h"

namespace seqgrad {

// One name for each reduction that differs from `meant` in general (on ragged sentences, with weights of every size
// where this batch has weights) and not on this batch. None for a vector loss that is folded.
std::vector<std::string> not_separated(const LossInputs& inputs, const LossOptions& meant);

// "this batch does not separate token_mean from sentence_mean, batch_mean, …: every sentence has 4 active tokens", or
// "".
std::string separation_note(const LossInputs& inputs, const LossOptions& meant, const std::string& name,
                            size_t most_names);

}  // namespace seqgrad

// Sizes that cannot fit in this machine are refused, with the estimate, before anything is allocated.
#pragma once
#include <string>

#include "models/config.h"

namespace seqgrad {

// InputError when `bytes`, which are needed for `what`, are more than the machine has.
void check_memory(double bytes, const std::string& what, const std::string& hint);

// Values, gradients and moments of a model.
void check_model_memory(const Config& config, int64_t source_words, int64_t target_words);

// What the forward pass of the largest batch keeps at the least: more than this machine has cannot be right.
void check_batch_memory(const Config& config, const Corpus& train);

}  // namespace seqgrad

// How much memory a model of given sizes takes; what cannot fit is refused with the estimate before it is allocated.
#pragma once
#include "engine/run/memory.h"
#include "models/config.h"

namespace seqgrad {

// Values, gradients and both moments; exact but for alignment.
double model_bytes(const Config& config, int64_t source_words, int64_t target_words);

void check_model_memory(const Config& config, int64_t source_words, int64_t target_words, Device device);

// What the forward pass of a batch keeps at the least, beside the model.
BatchBytes batch_bytes(const Config& config, int64_t target_words);

}  // namespace seqgrad

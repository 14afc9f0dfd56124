// How much memory a run needs at the least; what cannot fit is refused with the estimate before it is allocated.
#pragma once
#include <functional>

#include "engine/core/backend.h"
#include "engine/data/config.h"
#include "engine/train/config.h"

namespace seqgrad {

// How many numbers each parameter takes: its value, gradient and both moments, and one for each sum of gradients that
// waits while a step's shards are added.
int64_t numbers_per_parameter(const Config& config);

// Those of all parameters; exact but for alignment.
double model_bytes(const Config& config, ModelSizes sizes);

// InputError where the device has less.
void check_model_memory(const Config& config, ModelSizes sizes, Device device);

// A lower bound, in bytes, of what a batch [B,S] to [B,T] takes beside the model.
using BatchBytes = std::function<double(int64_t batch, int64_t source_steps, int64_t target_steps)>;
BatchBytes batch_bytes(const Config& config, int64_t target_words);

// Looks at the largest batch of each split, as training (a shard of it) and validation make them: more than the device
// has beside the model's `model_bytes` is refused with the file and line of the longest sentence.
void check_batches(const Config& config, const Data& data, Device device, double model_bytes, const BatchBytes& bytes);

}  // namespace seqgrad

// What the `loss` section and the data must agree on: weights and masks are given and used, or neither.
#pragma once
#include <string>
#include <vector>

#include "engine/train/config.h"

namespace seqgrad {

// Of the config alone: a source that nothing uses, and a switch that nothing supplies.
void check_loss_sources(const Config& config, Problems& problems);

// Of the files too: a third column is found by reading. Refuses with the key's place.
void check_loss_sources(const Config& config, const Data& data);

// What of the loss keeps a model from learning, or does nothing, for this vocabulary: ignore_index of </s>, weights of
// 0 for every end of a sentence. A sentence each.
std::vector<std::string> loss_notes(const Config& config, const Data& data);

}  // namespace seqgrad

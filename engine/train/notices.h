// What a person should hear about a run before it begins, one line each.
#pragma once
#include <string>
#include <vector>

#include "engine/train/config.h"

namespace seqgrad {

// Too few steps by the number of epochs, a warm-up that the run ends before, keys that others leave without effect, a
// dev split that is the training text.
std::vector<std::string> notices(const Config& config, const Data& data, int64_t total_steps);

}  // namespace seqgrad

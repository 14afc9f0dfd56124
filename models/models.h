// Models by name.
#pragma once
#include <memory>

#include "engine/train/model.h"
#include "models/config.h"

namespace seqgrad {

// Refuses a model that cannot fit in memory, before it allocates anything.
std::unique_ptr<SequenceModel> make_model(const Config& config, int64_t source_words, int64_t target_words,
                                          Device device = Device::cpu);

}  // namespace seqgrad

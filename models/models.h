// Models by name.
#pragma once
#include <memory>

#include "engine/train/model.h"
#include "models/config.h"

namespace seqgrad {

// Refuses a model that cannot fit in memory, before it allocates anything.
std::unique_ptr<SequenceModel> make_model(const Config& config, int64_t source_words, int64_t target_words,
                                          Device device = Device::cpu);

// The sizes of the benchmarks' reference models: small, ref8k and ref32k, and with gpu_ those of PyTorch's benchmark on
// a GPU.
struct ReferenceModel {
  const char* name;
  int64_t embedding, encoder_hidden, decoder_hidden, vocabulary, batch, steps;
};
const ReferenceModel& reference_model(const std::string& name);

}  // namespace seqgrad

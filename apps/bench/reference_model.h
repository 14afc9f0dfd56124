// Models by whose sizes speed is compared.
#pragma once
#include <cstdint>
#include <string>

namespace seqgrad {

// The sizes of the benchmarks' reference models: small, ref8k and ref32k, with gpu_ those of PyTorch's benchmark on a
// GPU, and copy and dates, as configs of these names have them, with the words that targets have and the steps of a
// middling batch.
struct ReferenceModel {
  const char* name;
  int64_t embedding, encoder_hidden, decoder_hidden, vocabulary, batch, source_steps, target_steps;
};
const ReferenceModel& reference_model(const std::string& name);

}  // namespace seqgrad

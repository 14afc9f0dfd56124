// Models by whose sizes speed is compared.
#pragma once
#include <cstdint>
#include <string>

namespace seqgrad {

// The sizes of the benchmarks' reference models: small, ref8k and ref32k, and with gpu_ those of PyTorch's benchmark on
// a GPU.
struct ReferenceModel {
  const char* name;
  int64_t embedding, encoder_hidden, decoder_hidden, vocabulary, batch, steps;
};
const ReferenceModel& reference_model(const std::string& name);

}  // namespace seqgrad

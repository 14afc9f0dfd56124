// From a config to a model.
#include "models/models.h"

#include "models/memory.h"
#include "models/seq2seq_gru.h"

namespace seqgrad {

std::unique_ptr<SequenceModel> make_model(const Config& config, int64_t source_words, int64_t target_words,
                                          Device device) {
  check_model_memory(config, source_words, target_words, device);
  const DType dtype = config.precision() == "fp64" ? DType::f64 : DType::f32;
  return std::make_unique<Seq2SeqGru>(config.model, source_words, target_words, dtype, device,
                                      static_cast<uint64_t>(config.seed()));
}

}  // namespace seqgrad

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

const ReferenceModel& reference_model(const std::string& name) {
  static const ReferenceModel table[] = {
      {"small", 64, 64, 128, 1000, 32, 15},       {"ref8k", 256, 256, 512, 8000, 64, 30},
      {"ref32k", 256, 256, 512, 32000, 64, 30},   {"gpu_small", 64, 128, 128, 1000, 32, 15},
      {"gpu_ref8k", 256, 512, 512, 8000, 64, 25}, {"gpu_ref32k", 256, 512, 512, 32000, 64, 25}};
  for (const ReferenceModel& m : table)
    if (name == m.name) return m;
  refuse("unknown reference model '{}'; expected small, ref8k or ref32k, or one of them after gpu_", shown(name));
}

}  // namespace seqgrad

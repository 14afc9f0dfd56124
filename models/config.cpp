// Contradictions in the `model` section, and how the model joins the program.
#include "models/config.h"

#include "models/seq2seq_gru.h"

namespace seqgrad {

ModelConfig::ModelConfig() = default;
ModelConfig::ModelConfig(Section* parent, const char* name, const char* doc) : ModelSection(parent, name, doc) {}
ModelConfig::~ModelConfig() = default;

void ModelConfig::check(Problems& problems) const {
  const int64_t context = encoder.hidden() * (encoder.bidirectional() ? 2 : 1);
  if (attention() == "dot" && context != decoder.hidden())
    problems.add(attention, fmt::format("dot needs decoder.hidden = {} ({} encoder.hidden), got {}; or use general",
                                        context, encoder.bidirectional() ? "2 x" : "the", decoder.hidden()));
  if (readout() && attention() == "none")
    problems.add(readout, "is made by attention: set model.attention, or leave this out");
  if (tied_embeddings() && embedding() != output_width())
    problems.add(tied_embeddings,
                 fmt::format("needs model.embedding = {}, got {} and {}",
                             readout() ? "model.readout" : "decoder.hidden", embedding(), output_width()));
  if (input_feeding() && attention() != "dot" && attention() != "general")
    problems.add(input_feeding, fmt::format("needs model.attention: dot or general, got {}", attention()));
}

std::unique_ptr<SequenceModel> ModelConfig::make(ModelSizes sizes, DType dtype, Device device, uint64_t seed) const {
  return std::make_unique<Seq2SeqGru>(*this, sizes.source_words, sizes.target_words, dtype, device, seed);
}

static const bool registered = register_model("seq2seq_gru", [](Section* parent) -> std::unique_ptr<ModelSection> {
  return std::make_unique<ModelConfig>(parent, "model", "what is trained");
});

}  // namespace seqgrad

// Contradictions in the `model` section, and what searches are told of a config.
#include "models/config.h"

#include "engine/config/files.h"

namespace seqgrad {

ModelConfig::ModelConfig() = default;
ModelConfig::ModelConfig(Section* parent, const char* name, const char* doc) : Section(parent, name, doc) {}
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

Config::Config() = default;
Config::~Config() = default;

void Config::check(Problems& problems) const {
  if (reads_files) check_files(*this, problems);
  RunConfig::check(problems);
}

DecodeOptions Config::decode_options() const {
  DecodeOptions o;
  o.max_ratio = decode.max_ratio();
  o.max_extra = decode.max_extra();
  o.beam = decode.beam();
  o.length_penalty = decode.length_penalty();
  o.softcap = loss.softcap().value_or(0);
  return o;
}

}  // namespace seqgrad

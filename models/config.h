// The `model` and `decode` sections, and the root of a config file.
#pragma once
#include "engine/train/config.h"

namespace seqgrad {

struct EncoderConfig : Section {
  using Section::Section;
  Field<int64_t> layers{this, "layers", 1, between(1, 16), "GRU layers"};
  Field<int64_t> hidden{this, "hidden", 128, between(1, 65536), "units per direction"};
  Field<bool> bidirectional{this, "bidirectional", true, "read the source from both ends"};
};

struct DecoderConfig : Section {
  using Section::Section;
  Field<int64_t> layers{this, "layers", 1, between(1, 16), "GRU layers"};
  Field<int64_t> hidden{this, "hidden", 256, between(1, 65536), "units"};
};

struct DropoutConfig : Section {
  using Section::Section;
  Field<double> embedding{this, "embedding", 0.0, from_below(0, 1), "share of embedding units dropped"};
  Field<double> hidden{this, "hidden", 0.0, from_below(0, 1),
                       "share of units dropped between layers and before the output"};
  Field<bool> variational{this, "variational", false, "one mask for all steps of a sentence (Gal and Ghahramani 2016)"};
};

struct ModelConfig : Section {
  using Section::Section;
  Field<int64_t> embedding{this, "embedding", 128, between(1, 65536), "width of source and target embeddings"};
  EncoderConfig encoder{this, "encoder", "reads the source"};
  DecoderConfig decoder{this, "decoder", "writes the target"};
  Field<std::string> attention{this, "attention", "general", choice({"none", "dot", "general", "additive"}),
                               "how a target position looks at the source (dot, general: Luong; additive: Bahdanau)"};
  Field<bool> tied_embeddings{this, "tied_embeddings", false, "the output projection is the target embedding"};
  DropoutConfig dropout{this, "dropout", "regularisation"};
  void check(Problems& problems) const override;
};

struct DecodeConfig : Section {
  using Section::Section;
  Field<double> max_ratio{this, "max_ratio", 2.0, above_to(0, 100),
                          "longest translation, as a multiple of the source's length"};
  Field<int64_t> max_extra{this, "max_extra", 10, between(1, 1000), "and this many tokens more"};
};

struct Config : RunConfig {
  ModelConfig model{this, "model", "what is trained"};
  DecodeConfig decode{this, "decode", "how translations are searched"};
};

}  // namespace seqgrad

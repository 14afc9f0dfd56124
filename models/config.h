// The `model` and `decode` sections, and the root of a config file.
#pragma once
#include "engine/train/config.h"
#include "engine/train/model.h"

namespace seqgrad {

Choice attention_choice();

struct EncoderConfig : Section {
  using Section::Section;
  Field<int64_t> layers{this, "layers", 1, between(1, 16), "GRU layers"};
  Field<int64_t> hidden{this, "hidden", 128, between(1, 65536), "units per direction"};
  Field<bool> bidirectional{this, "bidirectional", true, "read the source from both ends"};
  std::vector<ForeignName> foreign_names() const override;
  std::vector<std::string> bare_keys() const override;
};

struct DecoderConfig : Section {
  using Section::Section;
  Field<int64_t> layers{this, "layers", 1, between(1, 16), "GRU layers"};
  Field<int64_t> hidden{this, "hidden", 256, between(1, 65536), "units"};
  std::vector<ForeignName> foreign_names() const override;
  std::vector<std::string> bare_keys() const override;
};

struct DropoutConfig : Section {
  using Section::Section;
  Field<double> embedding{this, "embedding", 0.0, from_below(0, 1), "share of embedding units dropped"};
  Field<double> hidden{this, "hidden", 0.0, from_below(0, 1),
                       "share of units dropped between layers and before the output"};
  Field<bool> variational{this, "variational", false, "one mask for all steps of a sentence (Gal and Ghahramani 2016)"};
  std::vector<ForeignName> foreign_names() const override;
  std::vector<std::string> bare_keys() const override;
};

struct InitConfig : Section {
  using Section::Section;
  Field<Path> file{this, "file", Path{}, "safetensors file with the first weights of all or some layers; null: random"};
  Field<std::map<std::string, std::string>> rename{
      this, "rename", {}, "how tensor names begin in the file, and how they do here: {'': enc.gru.} for an nn.GRU"};
  std::vector<ForeignName> foreign_names() const override;
  void check(Problems& problems) const override {
    if (!rename().empty() && file().value.empty()) problems.add(rename, "needs model.init.file");
  }
};

struct ModelConfig : Section {
  ModelConfig();
  ModelConfig(Section* parent, const char* name, const char* doc);
  ~ModelConfig() override;
  Field<int64_t> embedding{this, "embedding", 128, between(1, 65536), "width of source and target embeddings"};
  EncoderConfig encoder{this, "encoder", "reads the source"};
  DecoderConfig decoder{this, "decoder", "writes the target"};
  Field<std::string> attention{this, "attention", "general", attention_choice(),
                               "how a target position looks at the source (dot, general: Luong; additive: Bahdanau)"};
  Field<std::optional<int64_t>> readout{this, "readout", std::nullopt, between(1, 65536),
                                        "width of what attention hands to the output projection; null: decoder.hidden"};
  Field<bool> input_feeding{this, "input_feeding", false,
                            "the previous readout joins the decoder's input (Luong et al. 2015; dot and general)"};
  Field<bool> tied_embeddings{this, "tied_embeddings", false, "the output projection is the target embedding"};
  DropoutConfig dropout{this, "dropout", "regularisation"};
  InitConfig init{this, "init", "what training begins with"};
  void check(Problems& problems) const override;
  std::vector<ForeignName> foreign_names() const override;
  int64_t output_width() const { return readout().value_or(decoder.hidden()); }
};

struct DecodeConfig : Section {
  using Section::Section;
  Field<double> max_ratio{this, "max_ratio", 2.0, above_to(0, 100),
                          "longest translation, as a multiple of the source's length"};
  Field<int64_t> max_extra{this, "max_extra", 10, between(1, 1000), "and this many tokens more"};
  Field<int64_t> beam{this, "beam", 1, between(1, 1000), "live hypotheses of a sentence; 1: greedy"};
  Field<double> length_penalty{
      this, "length_penalty", 0.6, between(0, 10),
      "α of ((5 + n)/6)^α, which divides log p when hypotheses are compared; n: target tokens, </s> included"};
  std::vector<ForeignName> foreign_names() const override;
  std::vector<std::string> bare_keys() const override;
};

struct Config : RunConfig {
  Config();
  ~Config() override;

  // Whether the files that the config names must be there to be read, as training needs them; who uses what was learned
  // does without them.
  bool reads_files = false;

  ModelConfig model{this, "model", "what is trained"};
  DecodeConfig decode{this, "decode", "how translations are searched"};

  std::vector<ForeignName> foreign_names() const override;
  DecodeOptions decode_options() const;
  void check(Problems& problems) const override;
};

}  // namespace seqgrad

// The `model` section of the GRU encoder-decoder.
#pragma once
#include "engine/train/model_section.h"

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
  std::vector<std::string> bare_keys() const override;
  void check(Problems& problems) const override {
    if (!rename().empty() && file().value.empty()) problems.add(rename, "needs model.init.file");
  }
};

struct ModelConfig : ModelSection {
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

  std::unique_ptr<SequenceModel> make(ModelSizes sizes, DType dtype, Device device, uint64_t seed) const override;

  // Copies the tensors of init.file (safetensors, float32 or float64, PyTorch's names and shapes) over the model's
  // parameters. A name that begins with a key of init.rename begins with its value instead; the longest key counts.
  // Refused, by the tensor's name, before anything is changed: a tensor that the model does not have, one of another
  // shape, one that is not finite, two with one name, and a layer that the file has in part. Embeddings and the output
  // layer of a run are refused where that run's vocabulary is not `source` or `target`: the same row would be another
  // word.
  std::string init_weights(SequenceModel& model, const Tokenizer* source = nullptr,
                           const Tokenizer* target = nullptr) const override;
  const FieldBase* first_weights() const override { return init.file().value.empty() ? nullptr : &init.file; }
  bool has_attention() const override { return attention() != "none"; }

  double parameter_count(ModelSizes sizes) const override;
  BatchNumbers batch_numbers() const override;
  int64_t step_products() const override { return 3 * decoder.hidden() * (embedding() + decoder.hidden()); }
};

}  // namespace seqgrad

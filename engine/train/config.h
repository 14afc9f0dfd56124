// The config sections of training, and the root of a config file.
#pragma once
#include <memory>

#include "engine/config/section.h"
#include "engine/data/config.h"
#include "engine/loss_config/config.h"
#include "engine/metrics/bleu_tokens.h"
#include "engine/optim/config.h"
#include "engine/train/model_section.h"

namespace seqgrad {

struct BatchConfig : Section {
  using Section::Section;
  Field<std::string> by{this, "by", "sentences",
                        choice({"sentences", "tokens"}, {{"sents", "sentences"},
                                                         {"sent", "sentences"},
                                                         {"examples", "sentences"},
                                                         {"tok", "tokens"},
                                                         {"words", "tokens"}}),
                        "what `size` counts; tokens are target tokens, padding included"};
  Field<int64_t> size{this, "size", 64, between(1, 1e6), "sentences or target tokens in a micro-batch"};
  Field<int64_t> bucket{this, "bucket", 2, between(1, 1024), "lengths are padded up to a multiple of this"};
  Field<int64_t> pool{this, "pool", 50, between(1, 1e6), "batches that are sorted by length together"};
  Field<int64_t> shards{
      this, "shards", 1, between(1, 64),
      "parts of a micro-batch, of even work, that are computed one by one: less memory, and gradients "
      "that are added in one fixed order"};
  std::vector<ForeignName> foreign_names() const override;
  std::vector<std::string> bare_keys() const override;
};

struct EarlyStoppingConfig : Section {
  using Section::Section;
  Field<std::optional<int64_t>> patience{
      this, "patience", std::nullopt, at_least(1),
      "validations without a better checkpoint.metric before training stops; null: never"};
};

struct TrainConfig : Section {
  using Section::Section;
  Field<std::optional<int64_t>> epochs{this, "epochs", std::nullopt, between(1, 1e6),
                                       "passes over the training data (10 when steps is null too)"};
  Field<std::optional<int64_t>> steps{this, "steps", std::nullopt, between(1, 1e12),
                                      "optimiser steps, instead of epochs"};
  BatchConfig batch{this, "batch", "how sentences are grouped"};
  Field<int64_t> accumulation{this, "accumulation", 1, between(1, 1024),
                              "micro-batches whose gradients make one optimiser step"};
  Field<double> teacher_forcing{
      this, "teacher_forcing", 1.0, between(0, 1),
      "share of target words that the decoder reads as they stand; elsewhere it reads its own "
      "last word (scheduled sampling, Bengio et al. 2015)"};
  Field<int64_t> log_every{this, "log_every", 50, at_least(1), "steps between progress lines"};
  Field<int64_t> validate_every{this, "validate_every", 500, at_least(1), "steps between validations"};
  EarlyStoppingConfig early_stopping{this, "early_stopping", "when to stop before the end"};
  void check(Problems& problems) const override;
  std::vector<ForeignName> foreign_names() const override;
};

Choice metric_choice();

struct CheckpointConfig : Section {
  using Section::Section;
  Field<std::optional<int64_t>> every{this, "every", std::nullopt, at_least(1),
                                      "steps between checkpoints; null: at every validation"};
  Field<int64_t> keep_last{this, "keep_last", 1, at_least(1), "how many of the newest checkpoints stay"};
  Field<int64_t> keep_best{this, "keep_best", 1, at_least(1), "how many of the best checkpoints stay"};
  Field<std::string> metric{this, "metric", "loss", metric_choice(), "what best means, on the dev split"};
  Field<int64_t> average{this, "average", 1, at_least(1),
                         "how many of the best checkpoints are averaged for the test, evaluate and translate"};

  void check(Problems& problems) const override;
  std::vector<ForeignName> foreign_names() const override;
};

struct BleuConfig : Section {
  using Section::Section;
  Field<std::string> tokenize{this, "tokenize", "13a", choice(bleu_token_names),
                              "what a word is, as sacreBLEU's tokenizer of that name says; zh for Chinese, char for "
                              "other languages without spaces"};
  Field<bool> lowercase{this, "lowercase", false,
                        "compare without regard to case, in chrF too; under data.lowercase always"};
};

struct ReportConfig : Section {
  using Section::Section;
  BleuConfig bleu{this, "bleu", "how BLEU is counted, at validations, in the test and by evaluate"};
  Field<int64_t> samples{this, "samples", 3, at_least(0),
                         "dev sentences whose translation is shown at each validation"};
  std::vector<ForeignName> foreign_names() const override;
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

Choice device_choice();
Choice precision_choice();

struct Config : Section {
  Config();
  ~Config() override;
  Field<std::string> name{this, "name", "run", "first part of the run directory's name"};
  Field<int64_t> seed{this, "seed", 1, at_least(0), "seed of initialisation, shuffling, dropout and built-in tasks"};
  Field<std::string> device{this, "device", "auto", device_choice(), "where tensors live"};
  Field<bool> graphs{this, "graphs", true,
                     "GPU: steps of sizes seen before are repeated as CUDA graphs; results do not depend on it"};
  Field<int64_t> logits_mib{this, "logits_mib", 256, between(1, 1e6),
                            "GPU: MiB that the logits of a step may take at once; more of them are made in parts"};
  Field<std::optional<int64_t>> threads{
      this, "threads", std::nullopt, between(1, 256),
      "CPU threads; null: one per core, fewer for a small model; results do not depend on it"};
  Field<std::string> precision{
      this, "precision", "fp32", precision_choice(),
      "arithmetic of the model; tf32 (GPUs), bf16: fp32 but for the factors of matrix products"};
  DataConfig data{this, "data", "what is learned"};
  LossConfig loss{this, "loss", "what is minimised"};
  OptimConfig optim{this, "optim", "how parameters move"};
  ScheduleConfig schedule{this, "schedule", "how the learning rate changes"};
  TrainConfig train{this, "train", "how long, in which batches, and what is said on the way"};
  CheckpointConfig checkpoint{this, "checkpoint", "what is kept"};
  ReportConfig report{this, "report", "what is written beside the checkpoints"};
  std::unique_ptr<ModelSection> model = model_section(this);
  DecodeConfig decode{this, "decode", "how translations are searched"};

  // Whether the files that the config names must be there to be read, as training needs them; who uses what was learned
  // does without them.
  bool reads_files = false;
  bool has_weights = false;  // of a checkpoint: model.init.file is not read again

  DecodeOptions decode_options() const;
  std::vector<ForeignName> foreign_names() const override;
  void check(Problems& problems) const override;  // what the loss of a case may have, and training has not
};

}  // namespace seqgrad

// The first batch of a config as `explain` shows it: the model's logits, the config's loss, words and sentences.
#pragma once
#include "engine/teach/explain.h"
#include "engine/train/config.h"

namespace seqgrad {

struct FirstBatch {
  LessonBatch batch;
  Subject subject;
  std::string data;  // what was loaded, in words
};

// Of at most `sentences` pairs, in the order of training, without dropout, by a model of fresh weights (or those of
// model.init). The config must say precision: fp64. InputError for what its data, model or loss refuses.
FirstBatch first_batch(const Config& config, const std::string& path, int64_t sentences);

}  // namespace seqgrad

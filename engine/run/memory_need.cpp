// Lower bounds: what is refused by them could not have worked.
#include "engine/run/memory_need.h"

#include <algorithm>

#include "engine/data/long_lines.h"
#include "engine/nn/shard_sum.h"
#include "engine/run/memory_limit.h"
#include "engine/train/trainer.h"

namespace seqgrad {
namespace {

double width(const Config& config) { return config.precision() == "fp64" ? 8 : 4; }

struct Largest {
  double bytes = 0;
  int64_t sentences = 0, row = 0;  // at once; the row of the longest in the corpus
};

// `shards`: that the batch is computed in, of which the largest has at least its share of the sentences.
void take_larger(Largest& largest, const Corpus& corpus, std::span<const int64_t> rows, int64_t bucket, int64_t shards,
                 const BatchBytes& bytes) {
  const auto padded = [&](int64_t n) { return (n + bucket - 1) / bucket * bucket; };
  int64_t source = 0, target = 0, longest = rows[0];
  for (const int64_t row : rows) {
    source = std::max(source, corpus.source.length(row)), target = std::max(target, corpus.target.length(row) + 1);
    if (longer_side(corpus, row) > longer_side(corpus, longest)) longest = row;
  }
  const auto count = static_cast<int64_t>(rows.size());
  const int64_t at_once = (count + shards - 1) / shards;
  if (const double needed = bytes(at_once, padded(source), padded(target)); needed > largest.bytes)
    largest = {needed, at_once, longest};
}

Largest largest_of_training(const Config& config, const Corpus& train, const BatchBytes& bytes) {
  Largest largest;
  Batcher batcher(train, batch_options(config));
  for (int64_t i = 0; i < batcher.batches(0); ++i)
    take_larger(largest, train, batcher.sentences({0, i}), config.train.batch.bucket(), config.train.batch.shards(),
                bytes);
  return largest;
}

Largest largest_of_evaluation(const Corpus& corpus, const BatchBytes& bytes) {
  Largest largest;
  for (const auto& rows : evaluation_batches(corpus)) take_larger(largest, corpus, rows, 1, 1, bytes);
  return largest;
}

}  // namespace

int64_t numbers_per_parameter(const Config& config) {
  return 4 + most_waiting_sums(config.train.accumulation() * config.train.batch.shards());
}

double model_bytes(const Config& config, ModelSizes sizes) {
  return static_cast<double>(numbers_per_parameter(config)) * width(config) * config.model->parameter_count(sizes);
}

void check_model_memory(const Config& config, ModelSizes sizes, Device device) {
  check_memory(model_bytes(config, sizes),
               fmt::format("the model needs, for {:.0f} parameters,", config.model->parameter_count(sizes)),
               "make model.* or data.vocabulary.size smaller", device);
}

BatchBytes batch_bytes(const Config& config, int64_t target_words) {
  const double logits =
      config.loss.prediction() == "hidden" ? 0 : static_cast<double>(target_words);  // else made in parts
  return [logits, numbers = config.model->batch_numbers(), bytes = width(config)](int64_t batch, int64_t source_steps,
                                                                                  int64_t target_steps) {
    return bytes * (numbers(batch, source_steps, target_steps) +
                    static_cast<double>(batch) * static_cast<double>(target_steps) * logits);
  };
}

void check_batches(const Config& config, const Data& data, Device device, double model_bytes, const BatchBytes& bytes) {
  const auto check = [&](const Corpus& corpus, const Largest& largest, const char* hint) {
    const bool is_dealt = &corpus == &data.train && config.train.batch.shards() > 1;
    const std::string others = largest.sentences == 1 ? ""
                                                      : fmt::format("the {} of {} sentences with ",
                                                                    is_dealt ? "shard" : "batch", largest.sentences);
    check_memory(model_bytes + largest.bytes,
                 fmt::format("{}: error: {}this sentence of {} tokens needs, with the model,",
                             place_of(config.data, corpus, largest.row), others, longer_side(corpus, largest.row)),
                 hint, device);
  };
  check(data.train, largest_of_training(config, data.train, bytes),
        "make train.batch.size, data.max_length or model.* smaller");
  std::vector<const Corpus*> others = {&data.dev, &data.test};
  for (const auto& [name, corpus] : data.reported) others.push_back(&corpus);
  for (const Corpus* corpus : others)
    if (corpus->size() > 0)
      check(*corpus, largest_of_evaluation(*corpus, bytes), "shorten the sentence or take it out");
}

}  // namespace seqgrad

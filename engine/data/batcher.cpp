// Shuffle, sort within pools, cut, shuffle the batches.
#include "engine/data/batcher.h"

#include <algorithm>
#include <numeric>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/data/streams.h"

namespace seqgrad {

Batcher::Batcher(const Corpus& corpus, const BatchOptions& options) : corpus_(corpus), options_(options) {
  if (corpus.size() == 0) refuse("{}: no pairs to make batches of", corpus.name);
  if (options.size < 1 || options.bucket < 1 || options.pool < 0)
    refuse("batches of {}, buckets of {}, pools of {}: size and bucket must be at least 1, pool at least 0",
           options.size, options.bucket, options.pool);
}

void Batcher::order(int64_t epoch) {
  if (epoch == epoch_) return;
  const auto padded = [&](int64_t length) {
    return (length + options_.bucket - 1) / options_.bucket * options_.bucket;
  };
  const auto target_steps = [&](int64_t i) { return padded(corpus_.target.length(i) + 1); };

  Random random(options_.seed, streams::shuffle + static_cast<uint64_t>(epoch));
  order_.resize(corpus_.size());
  std::iota(order_.begin(), order_.end(), int64_t{0});
  if (options_.shuffle) random.shuffle(order_);

  if (options_.pool > 0) {
    const int64_t mean_length = std::max<int64_t>(1, corpus_.target_tokens() / corpus_.size());
    const int64_t rows = options_.by == BatchBy::sentences ? options_.size : 1 + options_.size / mean_length;
    const int64_t pool = std::min(rows, corpus_.size()) * options_.pool;
    struct Sentence {
      int64_t target_steps, source_steps, row;
    };
    std::vector<Sentence> sorted;  // lengths beside the rows: in the corpus they lie far apart
    for (int64_t begin = 0; begin < corpus_.size(); begin += pool) {
      const int64_t end = std::min(begin + pool, corpus_.size());
      sorted.clear();
      for (int64_t i = begin; i < end; ++i)
        sorted.push_back({target_steps(order_[i]), padded(corpus_.source.length(order_[i])), order_[i]});
      std::stable_sort(sorted.begin(), sorted.end(), [](const Sentence& a, const Sentence& b) {
        return a.target_steps != b.target_steps ? a.target_steps < b.target_steps : a.source_steps < b.source_steps;
      });
      for (int64_t i = begin; i < end; ++i) order_[i] = sorted[static_cast<size_t>(i - begin)].row;
    }
  }

  batches_.clear();
  int64_t begin = 0, longest = 0;
  for (int64_t i = 0; i < corpus_.size(); ++i) {
    longest = std::max(longest, target_steps(order_[i]));
    const int64_t rows = i - begin + 1;
    const bool full = options_.by == BatchBy::sentences ? rows > options_.size : rows * longest > options_.size;
    if (full && rows > 1) {
      batches_.emplace_back(order_.data() + begin, i - begin);
      begin = i;
      longest = target_steps(order_[i]);
    }
  }
  batches_.emplace_back(order_.data() + begin, corpus_.size() - begin);
  if (options_.shuffle) random.shuffle(batches_);
  epoch_ = epoch;
}

int64_t Batcher::batches(int64_t epoch) {
  if (options_.by == BatchBy::sentences) return (corpus_.size() + options_.size - 1) / options_.size;
  order(epoch);
  return static_cast<int64_t>(batches_.size());
}

std::span<const int64_t> Batcher::sentences(const BatchPosition& position) {
  const int64_t count = batches(position.epoch);
  if (position.index < 0 || position.index >= count)
    refuse("batch {} of epoch {} does not exist: the epoch has {}", position.index, position.epoch, count);
  order(position.epoch);
  return batches_[position.index];
}

Batch Batcher::batch(const BatchPosition& position) {
  return make_batch(corpus_, sentences(position), options_.bucket);
}

Batch Batcher::next() {
  Batch out = batch(position_);
  if (++position_.index == batches(position_.epoch)) position_ = {position_.epoch + 1, 0};
  return out;
}

void Batcher::seek(const BatchPosition& position) {
  if (position.epoch < 0) refuse("epoch {} does not exist", position.epoch);
  sentences(position);
  position_ = position;
}

}  // namespace seqgrad

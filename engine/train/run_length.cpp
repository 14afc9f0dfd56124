// Epochs are ends in one long row of micro-batches.
#include "engine/train/run_length.h"

#include <algorithm>

namespace seqgrad {

BatchOptions batch_options(const Config& c) {
  BatchOptions o;
  o.by = c.train.batch.by() == "sentences" ? BatchBy::sentences : BatchBy::target_tokens;
  o.size = c.train.batch.size();
  o.bucket = c.train.batch.bucket();
  o.pool = c.train.batch.pool();
  o.seed = static_cast<uint64_t>(c.seed());
  return o;
}

// Batches of sentences are as many in every epoch. How many batches of tokens there are depends on the order, which
// takes time to make: of very long runs the first epoch stands for all, and the end may miss by a few batches.
constexpr int64_t most_ordered = 20'000'000;  // sentences, some seconds

RunLength::RunLength(const Config& c, const Corpus& train) : accumulation_(c.train.accumulation()) {
  if (c.train.steps()) {
    steps_ = *c.train.steps();
    return;
  }
  epochs_ = c.train.epochs().value_or(10);
  Batcher batcher(train, batch_options(c));
  const bool alike = batcher.options().by == BatchBy::sentences, ordered = train.size() * *epochs_ <= most_ordered;
  const int64_t first = batcher.batches(0);
  if (!alike && !ordered) {
    steps_ = (first * *epochs_ + accumulation_ - 1) / accumulation_;
    return;
  }
  ends_ = {0};
  for (int64_t e = 0; e < *epochs_; ++e) ends_.push_back(ends_.back() + (alike ? first : batcher.batches(e)));
}

int64_t RunLength::left(const TrainState& s) const {
  const bool over = s.epoch >= std::ssize(ends_) - 1;
  return over ? 0 : ends_.back() - ends_[static_cast<size_t>(s.epoch)] - s.index;
}

int64_t RunLength::steps(const TrainState& s) const {
  return ends_.empty() ? steps_ : s.step + (left(s) + accumulation_ - 1) / accumulation_;
}

int64_t RunLength::micro_batches(const TrainState& s) const {
  const int64_t rest = ends_.empty() ? 0 : left(s);
  return rest > 0 ? std::min(accumulation_, rest) : accumulation_;
}

std::optional<int64_t> RunLength::epochs() const { return epochs_; }

}  // namespace seqgrad

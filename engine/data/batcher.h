// The order in which an epoch visits a corpus, cut into batches.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/data/batch.h"

namespace seqgrad {

enum class BatchBy {
  sentences,     // `size` rows
  target_tokens  // as many rows as fit rows · padded target length <= size; at least one
};

struct BatchOptions {
  BatchBy by = BatchBy::sentences;
  int64_t size = 64;
  int64_t bucket = 4;   // lengths are padded to multiples of this
  int64_t pool = 100;   // batches whose sentences are sorted by length together; 0: the order is left alone
  bool shuffle = true;  // false: pools are cut from the corpus in order, and their batches stay in order
  uint64_t seed = 1;
};

// Where training stands: the next batch is number `index` of epoch `epoch`, both from 0.
struct BatchPosition {
  int64_t epoch = 0, index = 0;
  bool operator==(const BatchPosition&) const = default;
};

// Every sentence exactly once an epoch. The order is a function of (corpus, options, epoch), so that a position is all
// that a checkpoint needs. The corpus must outlive the batcher.
class Batcher {
 public:
  Batcher(const Corpus& corpus, const BatchOptions& options);

  int64_t batches(int64_t epoch);                                     // how many the epoch has
  std::span<const int64_t> sentences(const BatchPosition& position);  // rows of the corpus; valid until another epoch's
  Batch batch(const BatchPosition& position);

  Batch next();  // the batch at position(), which moves on, into the next epoch after the last
  const BatchOptions& options() const { return options_; }
  const BatchPosition& position() const { return position_; }
  void seek(const BatchPosition& position);  // refuses what is not a position of this corpus and these options

 private:
  void order(int64_t epoch);  // fills order_ and ends_

  const Corpus& corpus_;
  const BatchOptions options_;
  BatchPosition position_;
  int64_t epoch_ = -1;          // that order_ is of
  std::vector<int64_t> order_;  // rows of the corpus
  std::vector<std::span<const int64_t>> batches_;
};

}  // namespace seqgrad

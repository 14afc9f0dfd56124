// Batches dealt to shards: each sentence once, work that is even, and nothing of a sentence lost.
#include <numeric>

#include "engine/core/random.h"
#include "engine/data/batcher.h"
#include "engine/data/shards.h"
#include "tests/support/catch.h"
#include "tests/support/corpora.h"
#include "tests/support/random_batch.h"

using namespace seqgrad;

namespace {

// Pairs as long as those of Multi30k's training text, about: 13 words a side, from 4 to 40, and sides that go together.
Corpus drawn_corpus(uint64_t seed, int64_t pairs) {
  Corpus corpus;
  std::vector<std::vector<int32_t>> source, target;
  Random random(seed, 0);
  for (int64_t i = 0; i < pairs; ++i) {
    const double length = 13 * std::exp(0.3 * random.normal());
    const auto words = [&] {
      const double n = length + 1.5 * random.normal();
      return std::vector<int32_t>(static_cast<size_t>(std::clamp(n, 4.0, 40.0)), 5);
    };
    source.push_back(words());
    target.push_back(words());
    corpus.lines.push_back(i + 1);
    corpus.pairs.push_back({});
  }
  corpus.source = rows_of(source);
  corpus.target = rows_of(target);
  return corpus;
}

}  // namespace

TEST_CASE("each sentence is dealt to one shard, and a shard alone is the batch") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed, 9);
    const auto sentences = 1 + static_cast<int64_t>(random.below(70)),
               shards = 1 + static_cast<int64_t>(random.below(9));
    const Batch batch = random_batch(seed, sentences, 20, 30);
    CAPTURE(seed, sentences, shards);
    const Dealt dealt = deal(batch, shards);
    REQUIRE(std::ssize(dealt) == shards);
    std::vector<int64_t> all;
    for (const std::vector<int64_t>& of_shard : dealt) {
      CHECK(std::is_sorted(of_shard.begin(), of_shard.end()));
      CHECK(std::ssize(of_shard) <= (sentences + shards - 1) / shards);
      all.insert(all.end(), of_shard.begin(), of_shard.end());
    }
    if (shards > 1) std::sort(all.begin(), all.end());
    std::vector<int64_t> want(static_cast<size_t>(sentences));
    std::iota(want.begin(), want.end(), int64_t{0});
    CHECK(all == want);
  }
}

TEST_CASE("shards of an epoch's batches are even: the largest waits for the others at most a twentieth of its time") {
  const Corpus corpus = drawn_corpus(1, 6000);
  BatchOptions options;
  options.size = 64, options.bucket = 2, options.pool = 50;
  for (const int64_t shards : {2, 3, 4, 8}) {
    Batcher batcher(corpus, options);
    std::vector<Batch> batches;
    for (int64_t i = batcher.batches(0); i > 0; --i) batches.push_back(batcher.next());
    const double uneven = imbalance(batches, shards);
    CAPTURE(shards, uneven);
    CHECK(uneven > 0);
    CHECK(uneven <= 0.05);
  }
}

TEST_CASE("imbalance is what the shards wait for the largest of them") {
  Batch batch = random_batch(5, 4, 6, 4);
  batch.source_lengths = {3, 2, 2, 1}, batch.target_lengths = {3, 2, 2, 1};  // 6 + 2 and 4 + 4 tokens
  CHECK(imbalance({&batch, 1}, 2) == 0);
  CHECK(imbalance({&batch, 1}, 4) == Approx(1 - 4.0 / 6));
  CHECK(imbalance({}, 4) == 0);
}

TEST_CASE("a shard has its sentences as the batch has them, padding and weights included") {
  Batch batch = random_batch(5, 7, 6, 4);
  std::iota(batch.lines.begin(), batch.lines.end(), int64_t{100});
  for (int i = 0; i < 7; ++i) batch.sentences.push_back(50 + i), batch.example_weight.push_back(0.5 * i);
  for (int i = 0; i < 28; ++i) batch.token_weight.push_back(i), batch.mask.push_back(i % 3 == 0);
  const std::vector<int64_t> some = {1, 2, 6};
  const Batch part = index_select(batch, some);
  CHECK(part.batch == 3);
  CHECK(part.source_steps == 6);
  CHECK(part.target_steps == 4);
  CHECK(part.lines == std::vector<int64_t>{101, 102, 106});
  CHECK(part.sentences == std::vector<int64_t>{51, 52, 56});
  CHECK(part.example_weight == std::vector<double>{0.5, 1, 3});
  for (size_t b = 0; b < 3; ++b) {
    const auto from = static_cast<size_t>(some[b]);
    CHECK(part.source_lengths[b] == batch.source_lengths[from]);
    CHECK(part.target_lengths[b] == batch.target_lengths[from]);
    for (size_t s = 0; s < 6; ++s) CHECK(part.source[6 * b + s] == batch.source[6 * from + s]);
    for (size_t t = 0; t < 4; ++t) {
      CHECK(part.target_in[4 * b + t] == batch.target_in[4 * from + t]);
      CHECK(part.target_out[4 * b + t] == batch.target_out[4 * from + t]);
      CHECK(part.token_weight[4 * b + t] == batch.token_weight[4 * from + t]);
      CHECK(part.mask[4 * b + t] == batch.mask[4 * from + t]);
    }
  }
  CHECK(index_select(batch, {}).batch == 0);
}

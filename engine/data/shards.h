// Shards: the parts of a batch whose gradients are computed one by one.
#pragma once
#include <vector>

#include "engine/data/batch.h"

namespace seqgrad {

// The sentences of each shard, ascending; a shard may have none.
using Dealt = std::vector<std::vector<int64_t>>;

// Deals the sentences of a batch to `shards` shards of even work: the longest first, each to the shard that has the
// fewest tokens so far, of source and target together, and at most ⌈B/shards⌉ sentences. A function of lengths alone.
Dealt deal(const Batch& batch, int64_t shards);

// Some sentences of a batch, ascending, padded as they are there.
Batch index_select(const Batch& batch, std::span<const int64_t> sentences);

// The shards of each batch, one after the other.
std::vector<Batch> shards_of(std::span<const Batch> batches, int64_t shards);

// 1 − mean/largest of the shards' tokens, over all batches: what is lost by processes that each compute a shard and
// wait for the largest.
double imbalance(std::span<const Batch> batches, int64_t shards);

}  // namespace seqgrad

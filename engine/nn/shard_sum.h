// The gradients of a step's shards, added in an order that depends on nothing but their number.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/nn/parameters.h"

namespace seqgrad {

// Shards are the leaves of a binary tree, whose inner nodes are sums: of n shards the left half has the largest power
// of two below n. So a node depends on its own shards alone, wherever and with however many others they are computed.
struct ShardRange {
  int64_t first, last;  // shards first to last−1
  bool operator==(const ShardRange&) const = default;
};

// The shards of a step that a process computes: each a run of them, as many as the others or one more.
ShardRange shards_of_process(int64_t shards, int rank, int processes);

// A node's two halves; it has more than one shard.
std::pair<ShardRange, ShardRange> halves(ShardRange node);

// The nodes that a process forms by itself, as large as its shards allow, in order.
std::vector<ShardRange> own_nodes(int64_t shards, ShardRange mine);

// How many sums wait at the most while all shards are added, each as large as all gradients.
int most_waiting_sums(int64_t shards);

// To which waiting sums a shard is added, as bits: bit k is a sum of 2^k shards.
uint64_t waiting_sums(int64_t index, int64_t shards, ShardRange mine);

// The store's gradients are those of shard `index`, for one after the other of `mine`. Afterwards they are of no use
// any more and must be cleared for the next one, until the last of them: then each of own_nodes is in node_sum, and the
// last one in the store's gradients. So a process that computes all shards has the sum of all there.
void add_shard(ParameterStore& store, int64_t index, int64_t shards, ShardRange mine);
inline void add_shard(ParameterStore& store, int64_t index, int64_t shards) {
  add_shard(store, index, shards, {0, shards});
}
Tensor node_sum(ParameterStore& store, ShardRange node, int64_t shards, ShardRange mine);

}  // namespace seqgrad

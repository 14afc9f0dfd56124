// Shards come as a binary counter counts: what waits at bit k is the left half of a node of 2^(k+1) shards. A right
// half whose left one another process forms waits too, for that process, at a bit of its own.
#include "engine/nn/shard_sum.h"

#include <bit>

#include "engine/ops/elementwise.h"

namespace seqgrad {
namespace {

int bits_of(int64_t shards) { return static_cast<int>(std::bit_width(static_cast<uint64_t>(shards - 1))); }

// The first shard of the node of which shard i is the last one, above bit k.
int64_t first_of_node(int64_t i, int k) { return i >> (k + 1) << (k + 1); }

// Where node_sum has a node that is not the last of its process: an aligned power of two.
int place_of_node(ShardRange node, int64_t shards) {
  const int k = std::countr_zero(static_cast<uint64_t>(node.last - node.first));
  const bool is_right = node.first >> k & 1;
  return is_right ? bits_of(shards) + k : k;
}

void add_own_nodes(ShardRange node, ShardRange mine, std::vector<ShardRange>& to) {
  if (node.last <= mine.first || mine.last <= node.first) return;
  if (mine.first <= node.first && node.last <= mine.last) {
    to.push_back(node);
    return;
  }
  const auto [left, right] = halves(node);
  add_own_nodes(left, mine, to);
  add_own_nodes(right, mine, to);
}

}  // namespace

ShardRange shards_of_process(int64_t shards, int rank, int processes) {
  return {shards * rank / processes, shards * (rank + 1) / processes};
}

std::pair<ShardRange, ShardRange> halves(ShardRange node) {
  const int64_t half = node.first + (int64_t{1} << (bits_of(node.last - node.first) - 1));
  return {{node.first, half}, {half, node.last}};
}

std::vector<ShardRange> own_nodes(int64_t shards, ShardRange mine) {
  std::vector<ShardRange> out;
  add_own_nodes({0, shards}, mine, out);
  return out;
}

int most_waiting_sums(int64_t shards) { return bits_of(shards); }

uint64_t waiting_sums(int64_t index, int64_t shards, ShardRange mine) {
  const auto i = static_cast<uint64_t>(index);  // its ones: the nodes of all shards before
  uint64_t waiting = index + 1 == shards ? i : i & ~(i + 1);
  for (int k = 0; waiting >> k; ++k)
    if (first_of_node(index, k) < mine.first) waiting &= (uint64_t{1} << k) - 1;
  return waiting;
}

void add_shard(ParameterStore& store, int64_t index, int64_t shards, ShardRange mine) {
  const Tensor grads = store.grads();
  const uint64_t waiting = waiting_sums(index, shards, mine);
  for (int k = 0; waiting >> k; ++k)
    if (waiting >> k & 1)
      dispatch(store.dtype(), [&]<class T> {
        kernels::axpy<T>(store.device(), {T{1}, store.partial_sum(k).as<T>(), grads.as<T>(), grads.numel(), true});
      });
  if (index + 1 == mine.last) return;
  const int64_t count = int64_t{1} << std::countr_one(waiting);  // of the node's shards
  const int place = place_of_node({index + 1 - count, index + 1}, shards);
  backend(store.device()).copy(store.partial_sum(place).data, grads.data, grads.bytes());
}

Tensor node_sum(ParameterStore& store, ShardRange node, int64_t shards, ShardRange mine) {
  return node.last == mine.last ? store.grads() : store.partial_sum(place_of_node(node, shards));
}

}  // namespace seqgrad

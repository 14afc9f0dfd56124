// The sum of gradients over processes that have each computed some of a step's shards.
#pragma once
#include "engine/comm/processes.h"
#include "engine/nn/shard_sum.h"

namespace seqgrad {

class ProcessSum {
 public:
  explicit ProcessSum(Processes& processes) : processes_(processes) {}

  // Each process has added its shards_of_process (add_shard). Afterwards the gradients of each store are the sum of all
  // shards, with the bits that one process alone gets. Each adds one slice of it, of all processes' nodes, and gives it
  // to all others: 2·(W−1)/W of the gradients' bytes go out of each of W processes whose shards are one node.
  void operator()(ParameterStore& store, int64_t shards);

  Processes& processes() const { return processes_; }

 private:
  template <class T>
  void sum(ParameterStore& store, int64_t shards);

  Processes& processes_;
  std::vector<std::byte> received_;
};

}  // namespace seqgrad

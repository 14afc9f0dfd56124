// A step that several processes compute: each some shards, and all come to the same end.
#pragma once
#include <functional>
#include <vector>

#include "engine/loss/row_result.h"
#include "engine/nn/process_sum.h"

namespace seqgrad {

// `run(mine)` computes the shards `mine` and gives the results of their live rows. Afterwards all processes have
// the results of all shards, in order, and their stores the sum of all gradients. What a loss refuses in one process is
// thrown in all: that of the first shard that is refused.
using RunShards = std::function<std::vector<RowResult>(ShardRange mine)>;
std::vector<RowResult> run_by_processes(ParameterStore& store, ProcessSum& processes, int64_t shards,
                                        const RunShards& run);

}  // namespace seqgrad

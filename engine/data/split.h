// The split rule of the built-in tasks: a hash of the source text alone decides between train, dev and test.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "engine/core/random.h"
#include "engine/data/task.h"

namespace seqgrad {

enum class Part { train, dev, test };

struct SplitShares {  // of the hash range, in percent; the rest is test
  int train = 80, dev = 5;
};

Part part_of(std::string_view source, const SplitShares& shares = {});

// What a task is made of, for draw_splits.
struct TaskText {
  const char* name;
  int64_t train, dev, test;                    // its own sizes, where the options have 0
  std::function<std::string(Random&)> source;  // draws one
  std::function<std::string(const std::string&)> target;
  std::function<bool(const std::string&)> train_only;  // sources too few to split; empty: none
  SplitShares shares;
};

// Draws sources until every split has as many distinct ones as the options ask for. A split is a prefix of what a
// larger one would be, whatever the sizes of the others. Refused: sizes that the task's sources do not suffice for.
Splits draw_splits(const TaskText& task, const TaskOptions& options);

// Distinct pairs that no split holds, from sources of another kind than `task.source` draws (longer ones); `ordinal`
// tells such sets of one task apart.
std::vector<Pair> draw_reported(const TaskText& task, const TaskOptions& options, int64_t count, uint64_t ordinal,
                                const std::function<std::string(Random&)>& source);

}  // namespace seqgrad

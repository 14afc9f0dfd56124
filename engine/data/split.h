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

// Refuses options that a task without directions and word tables cannot follow.
void refuse_direction_and_lexicon(const char* task, const TaskOptions& options);

Part part_of(std::string_view source, const SplitShares& shares = {});

// What a task is made of, for draw_splits.
struct TaskText {
  const char* name;
  int64_t train, dev, test;                          // its own sizes, where the options have 0
  std::function<Pair(Random&)> draw;                 // the target a function of the source
  std::function<bool(const Pair&)> train_only = {};  // pairs of a kind too rare to split; empty: none
  SplitShares shares = {};
};

// Draws pairs until every split has as many distinct sources as the options ask for. A split is a prefix of what a
// larger one would be, whatever the sizes of the others. Refused: sizes that the task's sources do not suffice for.
Splits draw_splits(const TaskText& task, const TaskOptions& options);

// Pairs of distinct sources that no split holds, because `draw` makes another kind (longer ones); `ordinal` tells such
// sets of one task apart.
std::vector<Pair> draw_reported(const TaskOptions& options, int64_t count, uint64_t ordinal,
                                const std::function<Pair(Random&)>& draw);

}  // namespace seqgrad

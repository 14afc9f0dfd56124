// Task `reverse`: the target is the source from its end to its beginning.
#include "engine/data/number_lists.h"

namespace seqgrad {

static Splits make_reverse(const TaskOptions& options) {
  const auto reverse = [](std::vector<int> numbers) { return std::vector<int>(numbers.rbegin(), numbers.rend()); };
  return number_list_splits("reverse", options, reverse, true);
}

static const bool registered =
    register_task({"reverse", "lists of 1 to 25 numbers from 0 to 49, backwards", "word", make_reverse});

}  // namespace seqgrad

// Task `copy`: the target is the source.
#include "engine/data/number_lists.h"

namespace seqgrad {

static Splits make_copy(const TaskOptions& options) {
  return number_list_splits(
      "copy", options, [](std::vector<int> numbers) { return numbers; }, true);
}

static const bool registered =
    register_task({"copy", "lists of 1 to 25 numbers from 0 to 49, unchanged", "word", make_copy});

}  // namespace seqgrad

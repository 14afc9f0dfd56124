// Task `sort`: the target is the source in rising order.
#include <algorithm>

#include "engine/data/number_lists.h"

namespace seqgrad {

static Splits make_sort(const TaskOptions& options) {
  const auto sort = [](std::vector<int> numbers) {
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  };
  return number_list_splits("sort", options, sort, false);
}

static const bool registered =
    register_task({"sort", "lists of 1 to 25 numbers from 0 to 49, in rising order", "word", make_sort});

}  // namespace seqgrad

// Drawing lists of numbers.
#include "engine/data/number_lists.h"

#include <string>

#include "engine/data/split.h"

namespace seqgrad {

static std::string text_of(const std::vector<int>& numbers) {
  std::string text;
  for (const int n : numbers) text += (text.empty() ? "" : " ") + std::to_string(n);
  return text;
}

Splits number_list_splits(const char* name, const TaskOptions& options, std::vector<int> (*rewrite)(std::vector<int>),
                          bool reported) {
  const auto draw = [rewrite](Random& random, uint64_t length) -> Pair {
    std::vector<int> numbers(length);
    for (int& n : numbers) n = static_cast<int>(random.below(50));
    return {text_of(numbers), text_of(rewrite(numbers)), {}};
  };
  TaskText task{name, 50'000, 1'000, 1'000, [&](Random& random) { return draw(random, 1 + random.below(25)); }};
  task.train_only = [](const Pair& pair) { return pair.source.find(' ') == pair.source.npos; };
  Splits splits = draw_splits(task, options);
  if (reported)
    for (const uint64_t length : {30, 50})
      splits.reported["length_" + std::to_string(length)] =
          draw_reported(options, 500, length, [&](Random& random) { return draw(random, length); });
  return splits;
}

}  // namespace seqgrad

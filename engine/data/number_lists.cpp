// Drawing lists of numbers.
#include "engine/data/number_lists.h"

#include <fmt/format.h>

#include <charconv>

namespace seqgrad {

std::vector<int> numbers_of(const std::string& text) {
  std::vector<int> numbers;
  for (const char *at = text.data(), *end = at + text.size(); at < end; ++at) {
    numbers.push_back(0);
    at = std::from_chars(at, end, numbers.back()).ptr;
  }
  return numbers;
}

std::string text_of(const std::vector<int>& numbers) {
  std::string text;
  for (const int n : numbers) text += (text.empty() ? "" : " ") + std::to_string(n);
  return text;
}

static std::string draw_list(Random& random, int64_t length) {
  std::vector<int> numbers(length);
  for (int& n : numbers) n = static_cast<int>(random.below(50));
  return text_of(numbers);
}

Splits number_list_splits(const char* name, const TaskOptions& options, std::vector<int> (*rewrite)(std::vector<int>),
                          bool reported) {
  TaskText task{name, 50'000, 1'000, 1'000, {}, {}, {}, {}};
  task.source = [](Random& random) {
    return draw_list(random, 1 + static_cast<int64_t>(random.below(number_list_longest)));
  };
  task.target = [=](const std::string& source) { return text_of(rewrite(numbers_of(source))); };
  task.train_only = [](const std::string& source) { return source.find(' ') == source.npos; };
  Splits splits = draw_splits(task, options);
  if (reported)
    for (const int64_t length : {30, 50})
      splits.reported[fmt::format("length_{}", length)] =
          draw_reported(task, options, 500, length, [=](Random& random) { return draw_list(random, length); });
  return splits;
}

}  // namespace seqgrad

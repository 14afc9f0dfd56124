// Task `roman`: 1 to 3,999 in Roman numerals. All there are, 70 % of them to train with.
#include <numeric>

#include "engine/core/error.h"
#include "engine/data/split.h"
#include "engine/data/streams.h"

namespace seqgrad {

static std::string roman(int n) {
  static constexpr std::pair<int, const char*> signs[] = {{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"},
                                                          {90, "XC"},  {50, "L"},   {40, "XL"}, {10, "X"},   {9, "IX"},
                                                          {5, "V"},    {4, "IV"},   {1, "I"}};
  std::string text;
  for (const auto& sign : signs)
    for (; n >= sign.first; n -= sign.first) text += sign.second;
  return text;
}

static Splits make_roman(const TaskOptions& options) {
  refuse_direction_and_lexicon("roman", options);
  constexpr SplitShares shares{70, 10};
  std::vector<int> numbers(3'999);
  std::iota(numbers.begin(), numbers.end(), 1);
  Random(options.seed, streams::task).shuffle(numbers);
  Splits splits;
  for (const int n : numbers) {
    const std::string source = std::to_string(n);
    const Part part = part_of(source, shares);
    (part == Part::train ? splits.train
     : part == Part::dev ? splits.dev
                         : splits.test)
        .push_back({source, roman(n), {}});
  }
  const auto cut = [](const char* name, std::vector<Pair>& pairs, int64_t wanted) {
    if (wanted > static_cast<int64_t>(pairs.size()))
      refuse("task roman: {} {} pairs wanted, but there are only {}; lower data.sizes.{}", wanted, name, pairs.size(),
             name);
    if (wanted > 0) pairs.resize(wanted);
  };
  cut("train", splits.train, options.train);
  cut("dev", splits.dev, options.dev);
  cut("test", splits.test, options.test);
  return splits;
}

static const bool registered = register_task({"roman", "the numbers 1 to 3,999 in Roman numerals", "char", make_roman});

}  // namespace seqgrad

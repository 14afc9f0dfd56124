// Task `words_number`: English words to digits. Numbers below 100 are too few to split.
#include "engine/data/number_words.h"
#include "engine/data/split.h"

namespace seqgrad {

static Splits make_words_number(const TaskOptions& options) {
  TaskText task{"words_number", 20'000, 1'000, 2'000, [](Random& random) -> Pair {
                  const int n = draw_number(random);
                  return {number_words(n), std::to_string(n), {}};
                }};
  task.train_only = [](const Pair& pair) { return pair.target.size() <= 2; };
  return draw_splits(task, options);
}

static const bool registered =
    register_task({"words_number", "English number words as digits, 0 to 999,999", "char", make_words_number});

}  // namespace seqgrad

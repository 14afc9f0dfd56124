// Task `number_words`: digits to English words. Numbers below 100 are too few to split.
#include "engine/data/number_words.h"
#include "engine/data/split.h"

namespace seqgrad {

static Splits make_number_words(const TaskOptions& options) {
  TaskText task{"number_words", 20'000, 1'000, 2'000, [](Random& random) -> Pair {
                  const int n = draw_number(random);
                  return {std::to_string(n), number_words(n), {}};
                }};
  task.train_only = [](const Pair& pair) { return pair.source.size() <= 2; };
  return draw_splits(task, options);
}

static const bool registered =
    register_task({"number_words", "numbers from 0 to 999,999 in English words", "char", make_number_words});

}  // namespace seqgrad

// Task `addition`: sums of two numbers of 1 to 3 digits. Sums of two digits are too few to split.
#include "engine/data/split.h"

namespace seqgrad {

static int draw_operand(Random& random) {
  const int highest[] = {10, 100, 1'000};
  const auto digits = random.below(3);
  const int lowest = digits == 0 ? 0 : highest[digits - 1];
  return lowest + static_cast<int>(random.below(highest[digits] - lowest));
}

static Splits make_addition(const TaskOptions& options) {
  TaskText task{"addition", 20'000, 1'000, 2'000, [](Random& random) -> Pair {
                  const int a = draw_operand(random), b = draw_operand(random);
                  return {std::to_string(a) + "+" + std::to_string(b), std::to_string(a + b), {}};
                }};
  task.train_only = [](const Pair& pair) { return pair.source.size() == 3; };
  return draw_splits(task, options);
}

static const bool registered = register_task({"addition", "sums of two numbers from 0 to 999", "char", make_addition});

}  // namespace seqgrad

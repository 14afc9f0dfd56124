// What the task `phrases` draws before its splits choose: for tests of the language itself.
#pragma once
#include <string>
#include <vector>

#include "engine/data/task.h"

namespace seqgrad {

struct PhraseDraw {
  Pair pair;
  std::vector<std::string>
      word_pairs;  // "verb object|lesen|Buch", "subject verb|Mann|lesen", "adjective noun|alt|Mann"
};

// Sentences in the order in which stream `stream` of the task draws them: 0 train, 1 dev, 2 test.
std::vector<PhraseDraw> draw_phrases(const TaskOptions& options, uint64_t stream, int64_t count);

}  // namespace seqgrad

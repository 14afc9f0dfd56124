// What the task `phrases` draws before its splits choose.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "engine/data/task.h"

namespace seqgrad {

struct PhraseDraw {
  Pair pair;
  std::vector<std::string>
      word_pairs;  // "verb object|lesen|Buch", "subject verb|Mann|lesen", "adjective noun|alt|Mann"
};

// Sentences without end; refuses a word table of which not all kinds can be made.
std::function<PhraseDraw()> phrase_stream(const TaskOptions& options, uint64_t stream);

// Sentences in the order in which stream `stream` of the task draws them: 0 train, 1 dev, 2 test,
// 3 test_structure, 4 test_long.
std::vector<PhraseDraw> draw_phrases(const TaskOptions& options, uint64_t stream, int64_t count);

}  // namespace seqgrad

// What a translator without learning reaches on the task `phrases`: the numbers that a model must beat.
#pragma once
#include <string>
#include <vector>

#include "engine/data/task.h"

namespace seqgrad {

struct Baselines {
  double dictionary = 0;  // share of exact matches, translating word by word
  double nearest = 0;     // taking the translation of the training sentence that shares most words
};

Baselines baselines(const std::string& lexicon, const std::string& direction, const std::vector<Pair>& train,
                    const std::vector<Pair>& test);

}  // namespace seqgrad

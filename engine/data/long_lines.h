// Where a sentence of a split stands, and lines that are no sentences.
#pragma once
#include <string>

#include "engine/data/config.h"

namespace seqgrad {

// Tokens of the longer side of a pair.
int64_t longer_side(const Corpus& corpus, int64_t row);

// "dev.de:3" of a sentence in a file, "dev, pair 3" of one that a task made.
std::string place_of(const DataConfig& config, const Corpus& corpus, int64_t row);

// Adds a note for dev or test where a line is so much longer than any training sentence that validation may take
// minutes with it: a whole text on one line.
void check_long_lines(const DataConfig& config, Data& data);

}  // namespace seqgrad

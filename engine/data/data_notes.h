// What is said about loaded text: odd characters, repeated pairs, unknown words.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/data/config.h"

namespace seqgrad {

// Of the splits by name, before pairs are encoded; `characters`: each is a token, spaces too.
std::vector<std::string> notes_on(const std::map<std::string, ParallelText>& splits, bool characters);

// "no unknown tokens", or "unknown tokens: dev 1.2 % source, 0.4 % target".
std::string describe_unknown(const Data& data);

// Adds a note for each side of a split with a fifth of unknown words or more; refuses one with nothing else.
void check_unknown(const DataConfig& config, Data& data);

}  // namespace seqgrad

// What is said about loaded text: odd characters, repeated pairs, unknown words.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/data/config.h"

namespace seqgrad {

// Of the splits by name, before pairs are encoded; `characters`: each is a token, spaces too.
std::vector<std::string> notes_on(const std::map<std::string, ParallelText>& splits, bool characters);

// "data: train 20,000 pairs, dev 1,000, test 2,000; vocabularies: 312 source, 290 target; unknown tokens: …"
std::string describe_data(const Data& data);

// A note for each side of a text with a fifth of unknown tokens or more.
std::vector<std::string> notes_on_unknown(const DataConfig& config, const Corpus& corpus, const Tokenizer& source,
                                          const Tokenizer& target);

// A note where references, which BLEU and chrF take as they stand, have not the Unicode form that models write.
std::vector<std::string> notes_on_references(const DataConfig& config, const Corpus& corpus);

// Adds those on unknown tokens for each split; refuses one with nothing but unknown tokens on a side.
void check_unknown(const DataConfig& config, Data& data);

}  // namespace seqgrad

// What is said of a word that a vocabulary lacks.
#pragma once
#include <string>
#include <string_view>

#include "engine/data/vocabulary.h"

namespace seqgrad {

// "'hau' is not in the vocabulary; the nearest known: haus, hat". Where a known word only looks the same, and where the
// word has characters that nobody sees, both stand as code points too.
std::string unknown_word(const Vocabulary& vocabulary, std::string_view word);

}  // namespace seqgrad

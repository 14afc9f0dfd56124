// The file of a vocabulary, the same for every kind of tokeniser:
//   seqgrad-vocabulary 1 KIND / lowercase false / size N / the specials, written \<pad> \<s> \</s> \<unk> / a token a
//   line
// In a token a backslash is written \\, a space \s, and any other byte below 0x20 or 0x7f \xHH, so that every token has
// one spelling and none is that of a special.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "engine/data/vocabulary.h"

namespace seqgrad {

struct VocabularyFile {
  Vocabulary vocabulary;
  bool lowercase = false;
};

std::string vocabulary_text(const std::string& kind, bool lowercase, const Vocabulary& vocabulary);

// Reads the lines after the first. Refused, with their line: what vocabulary_text() does not write, tokens that stand
// twice, and those that `is_token` says the kind does not have.
VocabularyFile read_vocabulary(const std::string& kind, const std::string& path, std::span<const std::string> lines,
                               const std::function<bool(std::string_view)>& is_token);

}  // namespace seqgrad

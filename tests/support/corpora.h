// Corpora of given ids, and lines to learn vocabularies from.
#pragma once
#include <charconv>

#include "engine/data/corpus.h"

namespace seqgrad {

// Rows of the given ids, each a word that is its number; {} is a blank line.
inline EncodedLines rows_of(const std::vector<std::vector<int32_t>>& rows) {
  auto lines = std::make_shared<WordLines>();
  for (const auto& row : rows) {
    std::string line;
    for (const int32_t id : row) line += (line.empty() ? "" : " ") + std::to_string(id);
    lines->push_back(line);
  }
  return {lines, [](std::string_view word) {
            int32_t id = 0;
            const bool number = std::from_chars(word.data(), word.data() + word.size(), id).ec == std::errc();
            return number ? std::vector<int32_t>{id} : std::vector<int32_t>{};
          }};
}

inline std::vector<std::vector<int32_t>> rows(const EncodedLines& lines) {
  std::vector<std::vector<int32_t>> rows;
  for (int64_t i = 0; i < lines.size(); ++i) rows.push_back(lines[i]);
  return rows;
}

// `lines` must outlive what is made of them.
inline std::vector<CountedText> counted(const std::vector<std::string>& lines) {
  std::vector<CountedText> texts;
  for (const std::string& line : lines) texts.push_back({line});
  return texts;
}

}  // namespace seqgrad

// White space of one, two and three bytes.
#include "engine/text/words.h"

namespace seqgrad {

size_t whitespace_length(std::string_view text) {
  if (text.empty()) return 0;
  const char c = text[0];
  if (c == ' ' || ('\t' <= c && c <= '\r') || ('\x1c' <= c && c <= '\x1f')) return 1;
  for (const std::string_view two : {"\u0085", "\u00a0"})
    if (text.substr(0, 2) == two) return 2;
  for (const std::string_view three : {"\u1680", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"})
    if (text.substr(0, 3) == three) return 3;
  const std::string_view en_quad = "\u2000", hair_space = "\u200a";
  return text.size() >= 3 && en_quad <= text.substr(0, 3) && text.substr(0, 3) <= hair_space ? 3 : 0;
}

std::vector<std::string_view> split_whitespace(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t i = 0, begin = 0; i <= text.size();) {
    const size_t gap = whitespace_length(text.substr(i));
    if (gap == 0 && i < text.size()) {
      ++i;
      continue;
    }
    if (i > begin) words.push_back(text.substr(begin, i - begin));
    if (i == text.size()) break;
    begin = i += gap;
  }
  return words;
}

std::string_view strip_right(std::string_view text) {
  const auto words = split_whitespace(text);
  return words.empty() ? text.substr(0, 0) : text.substr(0, words.back().data() + words.back().size() - text.data());
}

}  // namespace seqgrad

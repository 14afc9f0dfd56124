// Only the ends of words and the first letter are touched.
#include "engine/data/surface.h"

#include <vector>

#include "engine/core/utf8.h"
#include "engine/data/lowercase.h"

namespace seqgrad {

static constexpr std::string_view marks = ".,?!;:";

std::string normalise(std::string_view typed, const std::function<bool(std::string_view)>& known) {
  std::vector<std::string> words;
  for (size_t at = 0; at < typed.size();) {
    if (typed[at] == ' ' || typed[at] == '\t') {
      ++at;
      continue;
    }
    const size_t end = std::min(typed.find_first_of(" \t", at), typed.size());
    std::string_view word = typed.substr(at, end - at);
    at = end;
    std::vector<std::string> cut;
    while (word.size() > 1 && marks.find(word.back()) != std::string_view::npos && !known(word)) {
      cut.emplace_back(1, word.back());
      word.remove_suffix(1);
    }
    words.emplace_back(word);
    words.insert(words.end(), cut.rbegin(), cut.rend());
  }
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    if (i == 0) {
      const std::string lower = lowercase(word);
      const bool capital_follows = words.size() > 1 && lowercase(words[1]) != words[1];
      if (lower != word && known(lower) && (!known(word) || capital_follows)) word = lower;
    }
    out += (i ? " " : "") + word;
  }
  return out;
}

std::string present(std::string_view tokens) {
  std::string out;
  for (size_t at = 0; at < tokens.size();) {
    const size_t end = std::min(tokens.find(' ', at), tokens.size());
    const std::string_view word = tokens.substr(at, end - at);
    at = end + 1;
    const bool mark = word.size() == 1 && marks.find(word[0]) != std::string_view::npos;
    if (!out.empty() && !mark) out += ' ';
    out += word;
  }
  const size_t first = utf8_length(out);
  if (first == 1 && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  if (first == 2 && out[0] == '\xC3' && (out[1] == '\xA4' || out[1] == '\xB6' || out[1] == '\xBC'))
    out[1] = static_cast<char>(out[1] - 0x20);  // ä ö ü
  return out;
}

}  // namespace seqgrad

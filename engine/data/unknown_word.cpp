// Two words look the same when nothing is left between them but Unicode's compatibility and invisible characters.
#include "engine/data/unknown_word.h"

#include <algorithm>

#include "engine/core/error.h"
#include "engine/data/odd_text.h"

namespace seqgrad {
namespace {

bool ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// What one sees of a word: its NFKC without odd characters and spaces.
std::string look_of(std::string_view word) {
  if (ascii(word)) return std::string(word);
  std::string out;
  for_each_code_point(normalize(word, Form::nfkc), [&](const CodePoint& c, std::string_view bytes) {
    if (c.value != ' ' && !odd(c.value)) out += bytes;
  });
  return out;
}

bool has_odd(std::string_view word) {
  bool found = false;
  for_each_code_point(word, [&](const CodePoint& c, std::string_view) { found |= odd(c.value).has_value(); });
  return found;
}

// The most frequent known word that looks the same; null when there is none.
const std::string* twin(const Vocabulary& vocabulary, std::string_view word) {
  const std::string look = look_of(word);
  if (look.empty()) return nullptr;
  for (const std::string& known : vocabulary.ordinary())
    if ((!ascii(word) || !ascii(known)) && look_of(known) == look) return &known;
  return nullptr;
}

}  // namespace

std::string unknown_word(const Vocabulary& vocabulary, std::string_view word) {
  const std::string text = fmt::format("'{}' is not in the vocabulary", shown(word));
  constexpr size_t longest = 256;  // bytes; nobody compares longer words by eye
  if (word.size() > longest) return text;
  if (const std::string* known = twin(vocabulary, word))
    return fmt::format("{}; '{}' looks the same and is: {} here, {} there", text, shown(*known), with_code_points(word),
                       with_code_points(*known));
  std::string near;
  for (const std::string& known : vocabulary.nearest(word)) near += (near.empty() ? "" : ", ") + shown(known);
  return fmt::format("{}{}{}", text, has_odd(word) ? fmt::format(" ({})", with_code_points(word)) : "",
                     near.empty() ? "" : "; the nearest known: " + near);
}

}  // namespace seqgrad

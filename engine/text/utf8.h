// Strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace seqgrad {

// Bytes of the well-formed character that `text` begins with; 0 when there is none.
inline size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((at(i) & 0xC0) != 0x80) return 0;
  if ((lead == 0xE0 && at(1) < 0xA0) || (lead == 0xED && at(1) > 0x9F)) return 0;
  if ((lead == 0xF0 && at(1) < 0x90) || (lead == 0xF4 && at(1) > 0x8F)) return 0;
  return length;
}

// Offset of the first byte that is not well-formed UTF-8, or text.size().
inline size_t utf8_error(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const size_t length = utf8_length(text.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return i;
}

// How many characters; a byte that begins none counts as one.
inline int64_t utf8_characters(std::string_view text) {
  int64_t n = 0;
  for (; !text.empty(); ++n) {
    const size_t length = utf8_length(text);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return n;
}

}  // namespace seqgrad

// Unicode's case and normal forms, by utf8proc. Text is UTF-8; bytes that are not well-formed stay as they are.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace seqgrad {

struct CodePoint {
  static constexpr char32_t none = 0xFFFFFFFF;
  char32_t value = none;  // `none` for a byte that begins no well-formed character
  size_t length = 1;      // in bytes
};

CodePoint first_code_point(std::string_view text);  // refuses an empty text
void append_utf8(std::string& text, char32_t value);

// Calls f(CodePoint, std::string_view its bytes) for each, from left to right.
template <class F>
void for_each_code_point(std::string_view text, const F& f) {
  while (!text.empty()) {
    const CodePoint c = first_code_point(text);
    f(c, text.substr(0, c.length));
    text.remove_prefix(c.length);
  }
}

// Unicode's full mapping, as Python's str.lower() has it: U+0130 becomes i and a combining dot, and a sigma at the end
// of a word the final one. No other character becomes several.
std::string to_lower(std::string_view text);

// The first character in title case ("ǆ" becomes "ǅ"), by Unicode's simple mapping, which has none for "ß" and the
// like; the rest stays.
std::string capitalize_first(std::string_view text);

// UAX #15. `nfkc` also replaces what only looks different (ligatures, full-width forms, no-break spaces).
enum class Form { nfc, nfd, nfkc };
std::string normalize(std::string_view text, Form form);

// General category: "Lu", "Mn", "Cf", "Zs", …, "Cn" for what is not assigned or no character.
std::string_view category(char32_t value);

std::string_view unicode_version();  // of the tables: "15.0.0"

}  // namespace seqgrad

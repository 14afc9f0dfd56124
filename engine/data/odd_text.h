// Characters that a reader of a text does not see, or takes for others: what kinds there are of them, how many, where.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/unicode.h"

namespace seqgrad {

enum class Odd {
  space,        // no-break, thin, ideographic: looks like a space and separates no words
  invisible,    // zero width, soft hyphen, a byte order mark that begins no file
  line_end,     // ends a line elsewhere; here only a line feed does
  control,      // C0 and C1 controls but tab
  direction,    // marks of writing direction
  replacement,  // U+FFFD: what stood there was lost in a conversion
};
std::optional<Odd> odd(char32_t character);

// No character that anyone sees: spaces, tabs and odd ones only.
bool blank(std::string_view line);

// "U+00A0"
std::string code_point(char32_t character);
// The text with each character beyond printable ASCII as its code point: "gru<U+0308>n".
std::string with_code_points(std::string_view text);

// Counts over the files of a corpus. `form`: the normal form that its text is brought into; what that mends is not
// counted, but that it was needed is.
class OddText {
 public:
  explicit OddText(std::optional<Form> form = {}) : form_(form) {}

  // False when this file was looked at before: the same text may be training and validation.
  bool begin(const std::string& file);
  // The next line of the file, without its end.
  void look(std::string_view line);
  void add(const OddText& other);  // but for files that both looked at

  // A sentence for each kind: how many, which code points, the first place in each file, what helps.
  std::vector<std::string> notes() const;

 private:
  struct Found {
    int kind;  // of enum Odd, or not_normal
    std::string file;
    int64_t count, line, column;  // the first place; columns count characters from 1
    std::vector<char32_t> characters;
  };
  void count(int kind, char32_t character, int64_t column);

  std::optional<Form> form_;
  std::vector<std::string> files_;
  int64_t line_ = 0;
  std::vector<Found> found_;
};

}  // namespace seqgrad

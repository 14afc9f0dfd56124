// The words of a line: what spaces and tabs separate, or whatever Unicode calls white space.
#pragma once
#include <string_view>
#include <vector>

namespace seqgrad {

// Calls f(std::string_view) for each word that spaces and tabs separate.
template <class F>
void for_each_word(std::string_view line, const F& f) {
  for (size_t i = 0; i < line.size();) {
    size_t end = i;  // find_first_of would search the set of separators anew for each byte
    while (end < line.size() && line[end] != ' ' && line[end] != '\t') ++end;
    if (end > i) f(line.substr(i, end - i));
    i = end + 1;
  }
}

// Length in bytes of the white-space character that `text` begins with: Unicode's White_Space and U+001C to U+001F.
size_t whitespace_length(std::string_view text);

// As Python's str.split() finds them, which the published scores rest on.
std::vector<std::string_view> split_whitespace(std::string_view text);
std::string_view strip_right(std::string_view text);  // str.rstrip()

}  // namespace seqgrad

// Words as Python's str.split() finds them, which the published scores rest on.
#pragma once
#include <string_view>
#include <vector>

namespace seqgrad {

// Length in bytes of the white-space character that `text` begins with: Unicode's White_Space and U+001C to U+001F.
size_t whitespace_length(std::string_view text);

std::vector<std::string_view> split_whitespace(std::string_view text);
std::string_view strip_right(std::string_view text);  // str.rstrip()

}  // namespace seqgrad

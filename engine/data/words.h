// The words of a line: what spaces and tabs separate.
#pragma once
#include <algorithm>
#include <string_view>

namespace seqgrad {

template <class F>
void for_each_word(std::string_view line, const F& f) {
  for (size_t i = 0; i < line.size();) {
    const size_t end = std::min(line.find_first_of(" \t", i), line.size());
    if (end > i) f(line.substr(i, end - i));
    i = end + 1;
  }
}

}  // namespace seqgrad

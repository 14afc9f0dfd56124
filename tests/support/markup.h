// Pages read as markup: elements match, and text that looks like markup is none.
#pragma once
#include <string>

#include "tests/fuzz/markup_problem.h"
#include "tests/support/catch.h"

namespace seqgrad::testing {

inline const std::string hostile = "<script>alert(1)</script>\"'&<img src=x onerror=y>";

inline size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

inline void check_markup(const std::string& html) { CHECK(markup_problem(html) == ""); }

}  // namespace seqgrad::testing

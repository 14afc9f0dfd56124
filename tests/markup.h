// Pages read as markup: elements match, and text that looks like markup is none.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "tests/catch.h"

namespace seqgrad::testing {

inline const std::string hostile = "<script>alert(1)</script>\"'&<img src=x onerror=y>";

inline size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

// Elements that are opened and closed match, and attributes hold no stray quote or bracket: no text has become markup.
inline void check_markup(const std::string& html) {
  std::vector<std::string> open;
  for (size_t at = 0; (at = html.find('<', at)) != std::string::npos;) {
    const size_t end = html.find('>', at);
    REQUIRE(end != std::string::npos);
    const std::string tag = html.substr(at + 1, end - at - 1);
    at = end;
    CAPTURE(tag);
    REQUIRE(std::count(tag.begin(), tag.end(), '"') % 2 == 0);
    REQUIRE(tag.find('<') == std::string::npos);
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (name[0] == '/') {
      REQUIRE_FALSE(open.empty());
      REQUIRE("/" + open.back() == name);
      open.pop_back();
    } else if (tag.back() != '/' && name != "meta" && name != "link" && name != "!DOCTYPE") {
      open.push_back(name);
    }
    for (const std::string raw : {"style", "script"})  // which hold no markup
      if (name == raw) at = html.find("</" + raw + ">", at) - 1;
  }
  CHECK(open.empty());
}

}  // namespace seqgrad::testing

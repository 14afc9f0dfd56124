// A strict reader of the markup that this program writes.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/utf8.h"

// "" when elements that are opened and closed match, attributes hold no stray quote or bracket, every & begins a
// character reference, and there is no control character but line feed and tab; else what is wrong. HTML's elements
// without an end and XML's <a/> are known; style and script hold no markup.
inline std::string markup_problem(std::string_view text) {
  if (seqgrad::utf8_error(text) != text.size()) return "it is not UTF-8";
  for (const char c : text)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F) return "a control character";
  std::vector<std::string_view> open;
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '&') {
      const std::string_view reference = text.substr(at + 1, std::min(text.find(';', at), text.size()) - at - 1);
      const bool numeric = reference.size() > 1 && reference[0] == '#' &&
                           reference.find_first_not_of("0123456789", 1) == std::string_view::npos;
      if (!numeric && reference != "amp" && reference != "lt" && reference != "gt" && reference != "quot")
        return "a stray & before '" + std::string(text.substr(at + 1, 10)) + "'";
    }
    if (text[at] != '<') {
      ++at;
      continue;
    }
    const size_t end = text.find('>', at);
    if (end == std::string_view::npos) return "an element that does not end";
    const std::string_view tag = text.substr(at + 1, end - at - 1);
    at = end;
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0) return "a stray quote in <" + std::string(tag) + ">";
    if (tag.empty() || tag.find('<') != std::string_view::npos) return "a stray bracket in <" + std::string(tag) + ">";
    const std::string_view name = tag.substr(0, tag.find_first_of(" /", 1));
    if (name[0] == '/') {
      if (open.empty() || open.back() != name.substr(1)) return "<" + std::string(name) + "> closes what is not open";
      open.pop_back();
    } else if (tag.back() != '/' && name != "meta" && name != "link" && name != "!DOCTYPE" && name != "?xml") {
      open.push_back(name);
    }
    for (const std::string_view raw : {"style", "script"})
      if (name == raw) at = std::min(text.find("</" + std::string(raw) + ">", at), text.size()) - 1;
  }
  return open.empty() ? "" : "<" + std::string(open.back()) + "> is not closed";
}

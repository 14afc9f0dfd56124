// Limits leave room for what is written below a folder, and for the numbers of runs.
#include "engine/io/folder_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <string_view>

#include "engine/text/utf8.h"

namespace seqgrad {

namespace {

constexpr size_t longest_name = 255 - 5;         // bytes, of a file system; a dash and a number follow
constexpr size_t longest_path = PATH_MAX - 512;  // bytes; what is written below has longer names

// Whether a terminal would obey or hide the character that `text` begins with.
bool is_invisible(std::string_view text) {
  const auto byte = static_cast<unsigned char>(text[0]);
  if (byte < 0x20 || byte == 0x7f || utf8_length(text) == 0) return true;
  static const std::string_view marks[] = {"\u061c", "\u2028", "\u2029", "\ufeff"};
  const std::string_view three = text.substr(0, 3);
  const bool other = (three >= "\u200b" && three <= "\u200f") || (three >= "\u202a" && three <= "\u202e") ||
                     (three >= "\u2060" && three <= "\u206f");
  return other || (byte == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0) ||
         std::any_of(std::begin(marks), std::end(marks), [&](auto mark) { return text.starts_with(mark); });
}

// Where the first such character stands, from 1; 0 when there is none.
int64_t invisible_at(std::string_view text) {
  for (int64_t n = 1; !text.empty(); ++n) {
    if (is_invisible(text)) return n;
    text.remove_prefix(utf8_length(text));
  }
  return 0;
}

}  // namespace

std::string bad_folder_name(const std::string& name) {
  if (name == "." || name == "..") return "it names another folder";
  return name.find('/') != name.npos ? "it holds '/'" : bad_folder_path(name);
}

std::string bad_folder_path(const std::string& path) {
  if (path.empty()) return "it is empty";
  if (utf8_error(path) < path.size()) return "it is not UTF-8";
  if (const int64_t at = invisible_at(path)) return fmt::format("character {} is a control character", at);
  if (path.size() > longest_path) return fmt::format("it has {} bytes; at most {} fit", path.size(), longest_path);
  for (size_t begin = 0, end = 0; begin < path.size(); begin = end + 1) {
    end = std::min(path.find('/', begin), path.size());
    if (end - begin > longest_name)
      return fmt::format("{} bytes are too long for a name; at most {} fit", end - begin, longest_name);
  }
  return "";
}

}  // namespace seqgrad

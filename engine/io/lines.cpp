// Reading text files.
#include "engine/io/lines.h"

#include <algorithm>

#include "engine/core/error.h"
#include "engine/io/file_kind.h"
#include "engine/io/files.h"
#include "engine/text/utf8.h"

namespace seqgrad {

std::vector<std::string> read_lines(const std::string& path) {
  const std::string text = read_file(path, size_t{4} << 30);
  if (const std::string kind = kind_of_non_text(text); !kind.empty())
    refuse("{}: error: expected lines of text, got {}", shown_path(path), kind);
  return lines_of(text, path);
}

std::vector<std::string> lines_of(std::string_view text, const std::string& path) {
  std::vector<std::string> lines;
  for (size_t begin = text.compare(0, 3, "\xEF\xBB\xBF") == 0 ? 3 : 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line(text.substr(begin, end - begin));
    if (const size_t bad = utf8_error(line); bad != line.size())
      refuse("{}:{}: byte {} is not valid UTF-8: '{}'; save the file as UTF-8", shown_path(path), lines.size() + 1,
             bad + 1, shown(line.substr(bad, 8)));
    if (end < text.size() && !line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(std::move(line));
    begin = end + 1;
  }
  return lines;
}

}  // namespace seqgrad

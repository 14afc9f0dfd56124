// Reading text files.
#include "engine/io/lines.h"

#include <algorithm>

#include "engine/core/error.h"
#include "engine/io/file_kind.h"
#include "engine/io/files.h"
#include "engine/text/utf8.h"

namespace seqgrad {

namespace {

using Line = std::function<void(std::string_view)>;

// Cuts text that comes part by part.
class LineCutter {
 public:
  LineCutter(const std::string& path, const Line& line) : path_(path), line_(line) {}

  void add(std::string_view part) {
    rest_ += part;
    size_t begin = 0;
    for (size_t end; (end = rest_.find('\n', searched_)) != rest_.npos; searched_ = begin = end + 1) {
      std::string_view text = std::string_view(rest_).substr(begin, end - begin);
      check(text);
      if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
      line_(text);
    }
    rest_.erase(0, begin);
    searched_ = rest_.size();
  }

  void end() {  // of the text: a last line needs no line feed
    if (rest_.empty()) return;
    check(rest_);
    line_(rest_);
  }

 private:
  void check(std::string_view text) {
    ++number_;
    if (const size_t bad = utf8_error(text); bad != text.size())
      refuse("{}:{}: byte {} is not valid UTF-8: '{}'; save the file as UTF-8", shown_path(path_), number_, bad + 1,
             shown(text.substr(bad, 8)));
  }

  const std::string& path_;
  const Line& line_;
  std::string rest_;     // of a line whose end has not come yet
  size_t searched_ = 0;  // bytes of it, for its end
  int64_t number_ = 0;
};

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
constexpr size_t head_bytes = 4096;  // by which a file that is no text is known

std::string_view without_mark(std::string_view text) {
  return text.starts_with(byte_order_mark) ? text.substr(byte_order_mark.size()) : text;
}

}  // namespace

void for_each_line(const std::string& path, const Line& line) {
  LineCutter cutter(path, line);
  std::string head;
  bool in_head = true;
  const auto end_head = [&] {
    if (const std::string kind = kind_of_non_text(head); !kind.empty())
      refuse("{}: error: expected lines of text, got {}", shown_path(path), kind);
    cutter.add(without_mark(head));
    in_head = false;
  };
  read_parts(path, size_t{4} << 30, [&](std::string_view part) {
    if (!in_head) return cutter.add(part);
    head += part;
    if (head.size() >= head_bytes) end_head();
  });
  if (in_head) end_head();
  cutter.end();
}

std::vector<std::string> read_lines(const std::string& path) {
  std::vector<std::string> lines;
  for_each_line(path, [&](std::string_view line) { lines.emplace_back(line); });
  return lines;
}

std::vector<std::string> lines_of(std::string_view text, const std::string& path) {
  std::vector<std::string> lines;
  const Line line = [&](std::string_view of_text) { lines.emplace_back(of_text); };
  LineCutter cutter(path, line);
  cutter.add(without_mark(text));
  cutter.end();
  return lines;
}

}  // namespace seqgrad

// Reading text files.
#include "engine/io/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/core/error.h"
#include "engine/core/utf8.h"

namespace seqgrad {

std::string read_file(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) refuse("cannot open '{}': {}", shown(path), std::strerror(errno));
  struct Closer {
    int file;
    ~Closer() { close(file); }
  } closer{file};
  struct stat about;
  if (fstat(file, &about) == 0 && S_ISDIR(about.st_mode)) refuse("'{}' is a directory", shown(path));
  std::string text;
  constexpr size_t piece = 1 << 20;
  for (;;) {
    const size_t had = text.size();
    text.resize(had + piece);
    const ssize_t got = read(file, text.data() + had, piece);
    text.resize(had + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return text;
    if (got < 0 && errno != EINTR) system_failure("cannot read '{}': {}", shown(path), std::strerror(errno));
  }
}

std::vector<std::string> read_lines(const std::string& path) {
  const std::string text = read_file(path);
  std::vector<std::string> lines;
  for (size_t begin = text.compare(0, 3, "\xEF\xBB\xBF") == 0 ? 3 : 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    if (const size_t bad = utf8_error(line); bad != line.size())
      refuse("{}:{}: byte {} is not valid UTF-8: '{}'; save the file as UTF-8", shown(path), lines.size() + 1, bad + 1,
             shown(line.substr(bad, 8)));
    if (end < text.size() && !line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(std::move(line));
    begin = end + 1;
  }
  return lines;
}

}  // namespace seqgrad

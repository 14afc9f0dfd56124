// Makes text from outside safe to print.
#include "engine/core/error.h"

#include "engine/core/utf8.h"

namespace seqgrad {

static std::string escaped(std::string_view value, int limit) {
  std::string out;
  int count = 0;
  for (size_t i = 0; i < value.size();) {
    if (count == limit) return out + "…";
    const size_t length = utf8_length(value.substr(i));
    const auto byte = static_cast<unsigned char>(value[i]);
    if (length == 0 || byte < 0x20 || byte == 0x7f) {
      const std::string code = byte == '\n'   ? "\\n"
                               : byte == '\t' ? "\\t"
                               : byte == '\r' ? "\\r"
                                              : fmt::format("\\x{:02x}", byte);
      if (count + static_cast<int>(code.size()) > limit) return out + "…";
      out += code;
      count += static_cast<int>(code.size());
      i += 1;
    } else {
      out += value.substr(i, length);
      count += 1;
      i += length;
    }
  }
  return out;
}

std::string shown(std::string_view value) { return escaped(value, 60); }

std::string shown_path(std::string_view path) {
  constexpr size_t longest = 200;  // bytes
  constexpr int most = 240;        // characters, when escapes make it longer
  if (path.size() <= longest) return escaped(path, most);
  size_t begin = path.size() - longest;
  while (begin < path.size() && (static_cast<unsigned char>(path[begin]) & 0xC0) == 0x80) ++begin;
  return "…" + escaped(path.substr(begin), most);
}

}  // namespace seqgrad

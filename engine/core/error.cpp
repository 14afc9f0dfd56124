// Makes text from outside safe to print.
#include "engine/core/error.h"

#include "engine/core/utf8.h"

namespace seqgrad {

std::string shown(std::string_view value) {
  constexpr int limit = 60;
  std::string out;
  int count = 0;
  for (size_t i = 0; i < value.size();) {
    if (count == limit) return out + "…";
    const size_t length = utf8_length(value.substr(i));
    const auto byte = static_cast<unsigned char>(value[i]);
    if (length == 0 || byte < 0x20 || byte == 0x7f) {
      const std::string escaped = byte == '\n'   ? "\\n"
                                  : byte == '\t' ? "\\t"
                                  : byte == '\r' ? "\\r"
                                                 : fmt::format("\\x{:02x}", byte);
      if (count + static_cast<int>(escaped.size()) > limit) return out + "…";
      out += escaped;
      count += static_cast<int>(escaped.size());
      i += 1;
    } else {
      out += value.substr(i, length);
      count += 1;
      i += length;
    }
  }
  return out;
}

}  // namespace seqgrad

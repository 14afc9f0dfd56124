// Questions to the system and the environment; a few of the sequences that every terminal with colours knows.
#include "engine/io/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "engine/text/escape.h"

namespace seqgrad {

bool is_terminal(int fd) { return isatty(fd) != 0; }

bool is_smart_terminal(int fd) {
  const char* kind = std::getenv("TERM");
  return is_terminal(fd) && kind && *kind && std::string_view(kind) != "dumb";
}

bool has_colours(int fd) {
  const char* unwanted = std::getenv("NO_COLOR");
  return is_smart_terminal(fd) && (!unwanted || !*unwanted);
}

static std::string in_style(std::string_view text, Style style) {
  const char* code = style == Style::bold ? "1" : style == Style::red ? "1;31" : "1;33";
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string styled(std::string_view text, Style style, int fd) {
  return has_colours(fd) ? in_style(text, style) : std::string(text);
}

std::string message_for(std::string_view text, int fd) {
  std::string out = lines_for_terminal(text);
  if (!has_colours(fd)) return out;
  const size_t end = std::min(out.find('\n'), out.size());
  for (const auto& [word, style] : {std::pair{"error:", Style::red}, std::pair{"warning:", Style::yellow}}) {
    const size_t at = out.find(word);
    // A word of its own, not the end of a name.
    if (at >= end || (at > 0 && out[at - 1] != ' ')) continue;
    return out.replace(at, std::string_view(word).size(), in_style(word, style));
  }
  return out;
}

std::string data_for(std::string_view text, int fd) { return is_terminal(fd) ? for_terminal(text) : std::string(text); }

}  // namespace seqgrad

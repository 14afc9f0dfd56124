// What the terminal behind a stream can show.
#pragma once
#include <string>
#include <string_view>

namespace seqgrad {

bool is_terminal(int fd);
// A terminal whose cursor moves and whose letters have colours; TERM=dumb, or none, says that it is not.
bool is_smart_terminal(int fd);
// Whether text for that stream may have colours: a smart terminal, and NO_COLOR is unset or empty (no-color.org).
bool has_colours(int fd);

enum class Style { bold, red, yellow };

// The text in that style for a stream that has colours, else as it is.
std::string styled(std::string_view text, Style style, int fd);

// A message as it is printed: escaped for a terminal, line feeds kept; for a stream that has colours, the first
// "error:" of its first line in red, the first "warning:" in yellow.
std::string message_for(std::string_view text, int fd);

// Text of a person's data on its way to standard output: as it is into a file or a pipe, escaped on a terminal.
std::string data_for(std::string_view text, int fd);

}  // namespace seqgrad

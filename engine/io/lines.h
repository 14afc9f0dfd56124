// Text files as lines of strict UTF-8.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace seqgrad {

// Lines as line feeds end them; the last needs none. A byte order mark and the carriage return of a CRLF are dropped,
// anything else (NUL, a lone carriage return, U+2028) is part of a line. Invalid UTF-8 is refused with line and byte,
// and so is a file that cannot be opened, has more than 4 GiB, or is an archive or the pointer to a file elsewhere.
std::vector<std::string> read_lines(const std::string& path);
// The same one by one, of a file that never is in memory as a whole; a line goes when `line` returns.
void for_each_line(const std::string& path, const std::function<void(std::string_view)>& line);
std::vector<std::string> lines_of(std::string_view text,
                                  const std::string& name);  // of text in memory; `name` for messages

}  // namespace seqgrad

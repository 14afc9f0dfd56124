// Text files as lines of strict UTF-8.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace seqgrad {

// Lines as line feeds end them; the last needs none. A byte order mark and the carriage return of a CRLF are dropped,
// anything else (NUL, a lone carriage return, U+2028) is part of a line. Invalid UTF-8 is refused with line and byte,
// and so is a file that cannot be opened, has more than 4 GiB, or is an archive or the pointer to a file elsewhere.
std::vector<std::string> read_lines(const std::string& path);
std::vector<std::string> lines_of(std::string_view text,
                                  const std::string& name);  // of text in memory; `name` for messages

}  // namespace seqgrad

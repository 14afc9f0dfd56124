// Files that are read whole or grow at their end; to write one see engine/io/output.h.
#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace seqgrad {

// What the system refuses is a SystemError that names the path and what the system said.

// The whole file, which counts as an input from now on (engine/io/inputs.h); InputError when it cannot be opened, is no
// file or pipe, or has more than `limit` bytes.
std::string read_file(const std::string& path, size_t limit);

// The same, part by part, each of which goes when `part` returns.
void read_parts(const std::string& path, size_t limit, const std::function<void(std::string_view)>& part);

// Appends to a file, which is made when it is not there. On failure nothing of it stays; only a process that is killed
// leaves a part.
void append_bytes(const std::string& path, std::string_view bytes);
void append_line(const std::string& path, std::string_view line);  // and its line feed
void sync_file(const std::string& path);  // what a file or directory holds is on the disk when this returns

}  // namespace seqgrad

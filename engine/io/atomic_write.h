// Files that grow by lines, and directories that are there whole or not at all.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/io/output.h"

namespace seqgrad {

// In this file what the system refuses is a SystemError that names the path and what the system said.

inline void atomic_write(const std::string& path, std::string_view bytes) { write_output(path, bytes); }

// Appends to a file, which is made when it is not there. On failure nothing of it stays; only a process that is killed
// leaves a part.
void append_bytes(const std::string& path, std::string_view bytes);
void append_line(const std::string& path, std::string_view line);  // and its line feed
void sync_file(const std::string& path);  // what a file or directory holds is on the disk when this returns

// Where a directory is built before publish_directory; made anew, empty.
std::string temporary_directory(const std::string& path);
// Syncs a directory that was built under a temporary name and renames it to `path`; what stood there goes, or, when
// that fails, stays (replace_directory).
void publish_directory(const std::string& temporary, const std::string& path);
// Removes a directory by renaming it first, so that under its name it is never seen in part.
void remove_directory(const std::string& path);

// Makes `link` point to `target` (relative to the link), replacing an older link in one rename.
void atomic_symlink(const std::string& target, const std::string& link);

void make_directories(const std::string& path);
std::vector<std::string> list_directory(
    const std::string& path);  // names, sorted; none when there is no such directory

// Removes from `directory` what processes of this host that are no longer there left under temporary names.
void remove_leftovers(const std::string& directory);

// The whole file; InputError when it cannot be opened, is no file or pipe, or has more than `limit` bytes.
std::string read_file(const std::string& path, size_t limit);

}  // namespace seqgrad

// Files that are there whole or not at all.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace seqgrad {

// Writes to a temporary file beside `path`, syncs it, and renames it over `path`. On failure the older file stands as
// it was, no temporary is left, and SystemError names the path and what the system said.
void atomic_write(const std::string& path, std::string_view bytes);
void atomic_write(const std::string& path, std::span<const std::string_view> pieces);

// Publishes a directory that was written under a temporary name: syncs it and renames it to `path`.
void publish_directory(const std::string& temporary, const std::string& path);

// Makes `link` point to `target` (relative to the link), replacing an older link in one rename.
void atomic_symlink(const std::string& target, const std::string& link);

void make_directories(const std::string& path);

// The whole file; InputError when it cannot be read or has more than `limit` bytes.
std::string read_file(const std::string& path, size_t limit);

// The system calls that can fail; tests put failing ones in their place.
struct SystemCalls {
  ssize_t (*write)(int, const void*, size_t);
  int (*fsync)(int);
  int (*close)(int);
  int (*rename)(const char*, const char*);
};
extern SystemCalls system_calls;

}  // namespace seqgrad

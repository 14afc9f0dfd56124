// The system calls of this folder that can fail, and how their failure is told.
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace seqgrad {

// Tests put failing ones in their place.
struct SystemCalls {
  ssize_t (*read)(int, void*, size_t);
  ssize_t (*write)(int, const void*, size_t);
  int (*fsync)(int);
  int (*close)(int);
  int (*rename)(const char*, const char*);
};
extern SystemCalls system_calls;

// Throws SystemError "PATH: cannot WHAT (what the system says)".
[[noreturn]] void system_refused(const char* what, const std::string& path, int error);

// Each throws through system_refused; `path` is for the message.
void write_all(int fd, std::string_view bytes, const std::string& path);
void sync_directory(const std::string& path);
void rename_to(const std::string& from, const std::string& to);

std::string directory_of(const std::string& path);  // "." for a name alone

}  // namespace seqgrad

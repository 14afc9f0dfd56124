// System calls that fail on purpose.
#pragma once
#include <cerrno>
#include <cstring>

#include "engine/io/system_calls.h"

namespace seqgrad {

// Which call of all that go through the seam fails, and how; the real calls come back at the end.
struct Faults {
  enum Kind { error, short_write, zero_write, interrupted };
  static inline int calls = 0, fail_at = 0;  // the N-th call fails, counted from 1
  static inline Kind kind = error;
  static inline const char* failed = "";  // the name of the call that failed
  static inline SystemCalls real{};

  Faults(int n, Kind how) {
    real = system_calls;
    calls = 0, fail_at = n, kind = how, failed = "";
    system_calls = {read, write, fsync, close, rename};
  }
  ~Faults() { system_calls = real; }

  static bool fails(const char* name) {
    if (++calls != fail_at) return false;
    failed = name;
    errno = kind == interrupted ? EINTR : std::strcmp(name, "write") == 0 ? ENOSPC : EIO;
    return true;
  }
  static ssize_t read(int fd, void* to, size_t n) { return fails("read") ? -1 : real.read(fd, to, n); }
  static ssize_t write(int fd, const void* from, size_t n) {
    if (!fails("write")) return real.write(fd, from, n);
    if (kind == short_write) return real.write(fd, from, (n + 1) / 2);
    return kind == zero_write ? 0 : -1;
  }
  static int fsync(int fd) { return fails("fsync") ? -1 : real.fsync(fd); }
  static int close(int fd) {
    const bool bad = fails("close");
    const int error = errno;
    const int result = real.close(fd);  // a close that fails has closed all the same
    errno = error;
    return bad ? -1 : result;
  }
  static int rename(const char* from, const char* to) { return fails("rename") ? -1 : real.rename(from, to); }
};

}  // namespace seqgrad

// Loops over what a system call may leave undone.
#include "engine/io/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/core/error.h"
#include "engine/io/inputs.h"
#include "engine/io/system_calls.h"

namespace seqgrad {

void append_line(const std::string& path, std::string_view line) { append_bytes(path, std::string(line) + "\n"); }

void append_bytes(const std::string& path, std::string_view bytes) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) system_refused("open", path, errno);
  const off_t before = lseek(fd, 0, SEEK_END);
  try {
    write_all(fd, bytes, path);
  } catch (...) {
    if (before >= 0) static_cast<void>(ftruncate(fd, before) == 0);  // at worst a part stays
    ::close(fd);
    throw;
  }
  if (system_calls.close(fd) != 0) system_refused("close", path, errno);
}

void sync_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const int result = fd < 0 ? -1 : system_calls.fsync(fd), error = errno;
  if (fd >= 0) ::close(fd);
  if (result != 0) system_failure("{}: cannot sync ({})", shown_path(path), std::strerror(error));
}

// Closes what was opened to be read, which cannot fail in a way that matters.
struct OpenFile {
  int fd;
  explicit OpenFile(int of) : fd(of) {}
  OpenFile(const OpenFile&) = delete;
  ~OpenFile() { ::close(fd); }
};

// Calls part(std::string_view, size_t) with each part and the size of the whole, 0 where none is known.
template <class F>
static void read_with_size(const std::string& path, size_t limit, const F& part) {
  const auto refuse_file = [&](int error) {
    refuse("{}: error: cannot be read ({})", shown_path(path), std::strerror(error));
  };
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && (errno == EIO || errno == EMFILE || errno == ENFILE || errno == ENOMEM))
    system_refused("open", path, errno);
  if (fd < 0) refuse_file(errno);
  const OpenFile file(fd);
  remember_input(path);
  struct stat info {};
  if (fstat(fd, &info) != 0) system_refused("read", path, errno);
  const bool is_null = S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);  // people mean an empty file by it
  if (S_ISDIR(info.st_mode)) refuse_file(EISDIR);
  if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode) && !is_null) refuse_file(ENODEV);
  const size_t whole = S_ISREG(info.st_mode) ? static_cast<size_t>(info.st_size) : 0;
  char buffer[1 << 16];
  for (size_t seen = whole > limit ? whole : 0;;) {
    if (seen > limit) refuse("{}: error: more than the {} bytes that are read of such a file", shown_path(path), limit);
    const ssize_t n = system_calls.read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) system_refused("read", path, errno);
    if (n == 0) return;
    part(std::string_view(buffer, static_cast<size_t>(n)), whole);
    seen += static_cast<size_t>(n);
  }
}

std::string read_file(const std::string& path, size_t limit) {
  std::string out;
  read_with_size(path, limit, [&](std::string_view part, size_t whole) {
    out.reserve(whole);
    out += part;
  });
  return out;
}

void read_parts(const std::string& path, size_t limit, const std::function<void(std::string_view)>& part) {
  read_with_size(path, limit, [&](std::string_view bytes, size_t) { part(bytes); });
}

}  // namespace seqgrad

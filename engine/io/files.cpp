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

std::string read_file(const std::string& path, size_t limit) {
  const auto refuse_file = [&](int error) {
    refuse("{}: error: cannot be read ({})", shown_path(path), std::strerror(error));
  };
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && (errno == EIO || errno == EMFILE || errno == ENFILE || errno == ENOMEM))
    system_refused("open", path, errno);
  if (fd < 0) refuse_file(errno);
  remember_input(path);
  struct stat info {};
  int error = fstat(fd, &info) != 0 ? errno : 0;
  std::string out;
  bool too_long = S_ISREG(info.st_mode) && static_cast<size_t>(info.st_size) > limit;
  const bool is_null = S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);  // people mean an empty file by it
  const bool fit = S_ISREG(info.st_mode) || S_ISFIFO(info.st_mode) || is_null;
  const int unfit = S_ISDIR(info.st_mode) ? EISDIR : fit ? 0 : ENODEV;
  if (error == 0 && unfit == 0 && !too_long) {
    if (S_ISREG(info.st_mode)) out.reserve(static_cast<size_t>(info.st_size));
    char buffer[1 << 16];
    while (!too_long) {
      const ssize_t n = system_calls.read(fd, buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) error = errno;
      if (n <= 0) break;
      out.append(buffer, static_cast<size_t>(n));
      too_long = out.size() > limit;
    }
  }
  ::close(fd);
  if (error) system_refused("read", path, error);
  if (unfit) refuse_file(unfit);
  if (too_long) refuse("{}: error: more than the {} bytes that are read of such a file", shown_path(path), limit);
  return out;
}

}  // namespace seqgrad

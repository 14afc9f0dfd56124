// Temporary file, write loop, fsync, checked close, rename, fsync of the directory.
#include "engine/io/atomic_write.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "engine/core/error.h"

namespace seqgrad {

namespace fs = std::filesystem;

SystemCalls system_calls{::write, ::fsync, ::close, std::rename};

namespace {

[[noreturn]] void fail(const char* what, const std::string& path, int error) {
  system_failure("{}: cannot {} ({})", path, what, std::strerror(error));
}

std::string parent_of(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

std::string temporary_beside(const std::string& path) { return fmt::format("{}.tmp-{}", path, getpid()); }

void sync_directory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail("open", path, errno);
  const int result = system_calls.fsync(fd), error = errno;
  ::close(fd);
  if (result != 0) fail("sync", path, error);
}

void write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = system_calls.write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("write", path, errno);
    if (n == 0) fail("write", path, ENOSPC);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace

void atomic_write(const std::string& path, std::string_view bytes) { atomic_write(path, std::span(&bytes, 1)); }

void atomic_write(const std::string& path, std::span<const std::string_view> pieces) {
  const std::string temporary = temporary_beside(path);
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) fail("create", path, errno);
  bool is_open = true;
  try {
    for (const std::string_view piece : pieces) write_all(fd, piece, path);
    if (system_calls.fsync(fd) != 0) fail("sync", path, errno);
    is_open = false;
    if (system_calls.close(fd) != 0) fail("close", path, errno);
    if (system_calls.rename(temporary.c_str(), path.c_str()) != 0) fail("rename to", path, errno);
  } catch (...) {
    if (is_open) ::close(fd);
    ::unlink(temporary.c_str());
    throw;
  }
  sync_directory(parent_of(path));
}

void publish_directory(const std::string& temporary, const std::string& path) {
  sync_directory(temporary);
  if (system_calls.rename(temporary.c_str(), path.c_str()) != 0) fail("rename to", path, errno);
  sync_directory(parent_of(path));
}

void atomic_symlink(const std::string& target, const std::string& link) {
  const std::string temporary = temporary_beside(link);
  ::unlink(temporary.c_str());
  if (::symlink(target.c_str(), temporary.c_str()) != 0) fail("link", link, errno);
  if (system_calls.rename(temporary.c_str(), link.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    fail("rename to", link, error);
  }
  sync_directory(parent_of(link));
}

void make_directories(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail("create", path, error.value());
}

std::string read_file(const std::string& path, size_t limit) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) refuse("{}: error: cannot be read ({})", path, std::strerror(errno));
  struct stat info {};
  std::string out;
  int error = fstat(fd, &info) != 0 ? errno : S_ISDIR(info.st_mode) ? EISDIR : 0;
  const size_t size = error ? 0 : static_cast<size_t>(info.st_size);
  if (error == 0 && size > limit) {
    ::close(fd);
    refuse("{}: error: {} bytes; at most {} are read", path, size, limit);
  }
  char buffer[1 << 16];
  while (error == 0) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) error = errno;
    if (n <= 0) break;
    out.append(buffer, static_cast<size_t>(n));
    if (out.size() > limit) error = EFBIG;
  }
  ::close(fd);
  if (error) refuse("{}: error: cannot be read ({})", path, std::strerror(error));
  return out;
}

}  // namespace seqgrad

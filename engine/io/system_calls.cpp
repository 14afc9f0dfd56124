// Loops over what a call may leave undone.
#include "engine/io/system_calls.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "engine/core/error.h"

namespace seqgrad {

SystemCalls system_calls{::read, ::write, ::fsync, ::close, std::rename};

void system_refused(const char* what, const std::string& path, int error) {
  system_failure("{}: cannot {} ({})", shown_path(path), what, std::strerror(error));
}

void write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = system_calls.write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) system_refused("write", path, errno);
    if (n == 0) system_refused("write", path, ENOSPC);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

void sync_directory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 && errno == EACCES) return;  // may be written and not read: what is in it stands all the same
  if (fd < 0) system_refused("open", path, errno);
  const int result = system_calls.fsync(fd), error = errno;
  ::close(fd);
  if (result != 0 && error != EINVAL) system_refused("sync", path, error);  // EINVAL: no directory can be synced there
}

void rename_to(const std::string& from, const std::string& to) {
  if (system_calls.rename(from.c_str(), to.c_str()) != 0) system_refused("rename to", to, errno);
}

std::string directory_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace seqgrad

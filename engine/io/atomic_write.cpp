// Appending, directories that are built aside, links, reading.
#include "engine/io/atomic_write.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "engine/core/error.h"
#include "engine/io/output.h"
#include "engine/io/replace_directory.h"
#include "engine/io/system_calls.h"

namespace seqgrad {

namespace fs = std::filesystem;

namespace {

void remove_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) system_refused("remove", path, error.value());
}

}  // namespace

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

std::string temporary_directory(const std::string& path) {
  const std::string temporary = temporary_name(path);
  make_directories(temporary);
  return temporary;
}

// Renames `path` to a temporary name and returns that; "" when there is nothing.
static std::string set_aside(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 && errno == ENOENT) return "";
  const std::string gone = temporary_name(path);
  rename_to(path, gone);
  return gone;
}

void publish_directory(const std::string& temporary, const std::string& path) {
  sync_directory(temporary);
  if (replace_directory(temporary, path)) return;
  rename_to(temporary, path);
  sync_directory(directory_of(path));
}

void remove_directory(const std::string& path) {
  if (const std::string gone = set_aside(path); !gone.empty()) remove_tree(gone);
}

void atomic_symlink(const std::string& target, const std::string& link) {
  const std::string temporary = temporary_name(link);
  if (::symlink(target.c_str(), temporary.c_str()) != 0) system_refused("link", link, errno);
  try {
    rename_to(temporary, link);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_directory(directory_of(link));
}

void make_directories(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) system_refused("create", path, error.value());
}

std::vector<std::string> list_directory(const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  fs::directory_iterator entries(path, error);
  if (error == std::errc::no_such_file_or_directory) return names;
  while (!error && entries != fs::directory_iterator()) {
    names.push_back(entries->path().filename());
    entries.increment(error);
  }
  if (error) system_refused("read", path, error.value());
  std::sort(names.begin(), names.end());
  return names;
}

void remove_leftovers(const std::string& directory) {
  for (const std::string& name : list_directory(directory)) {
    const pid_t owner = temporary_owner(name);
    const bool dead = owner > 0 && (owner == getpid() || (kill(owner, 0) != 0 && errno == ESRCH));
    if (dead) remove_tree(directory + "/" + name);
  }
}

std::string read_file(const std::string& path, size_t limit) {
  const auto refuse_file = [&](int error) {
    refuse("{}: error: cannot be read ({})", shown_path(path), std::strerror(error));
  };
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && (errno == EIO || errno == EMFILE || errno == ENFILE || errno == ENOMEM))
    system_refused("open", path, errno);
  if (fd < 0) refuse_file(errno);
  struct stat info {};
  int error = fstat(fd, &info) != 0 ? errno : 0;
  std::string out;
  bool too_long = S_ISREG(info.st_mode) && static_cast<size_t>(info.st_size) > limit;
  const int unfit = S_ISDIR(info.st_mode) ? EISDIR : S_ISREG(info.st_mode) || S_ISFIFO(info.st_mode) ? 0 : ENODEV;
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

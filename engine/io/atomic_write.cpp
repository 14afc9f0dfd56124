// Temporary file, write loop, fsync, checked close, rename, fsync of the directory.
#include "engine/io/atomic_write.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "engine/core/error.h"
#include "engine/io/replace_directory.h"

namespace seqgrad {

namespace fs = std::filesystem;

SystemCalls system_calls{::read, ::write, ::fsync, ::close, std::rename};

namespace {

[[noreturn]] void fail(const char* what, const std::string& path, int error) {
  system_failure("{}: cannot {} ({})", shown_path(path), what, std::strerror(error));
}

std::string parent_of(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

constexpr std::string_view mark = ".tmp-";  // and the number of the process

std::string temporary_beside(const std::string& path) { return fmt::format("{}{}{}", path, mark, getpid()); }

// The process that a temporary name belongs to; 0 for other names.
pid_t owner_of(std::string_view name) {
  const size_t at = name.rfind(mark);
  if (at == std::string_view::npos) return 0;
  const std::string_view digits = name.substr(at + mark.size());
  pid_t pid = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  return read.ec == std::errc() && read.ptr == digits.data() + digits.size() && pid > 0 ? pid : 0;
}

void remove_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) fail("remove", path, error.value());
}

void sync_directory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail("open", path, errno);
  const int result = system_calls.fsync(fd), error = errno;
  ::close(fd);
  if (result != 0) fail("sync", path, error);
}

void rename_to(const std::string& from, const std::string& to) {
  if (system_calls.rename(from.c_str(), to.c_str()) != 0) fail("rename to", to, errno);
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
    rename_to(temporary, path);
  } catch (...) {
    if (is_open) ::close(fd);
    ::unlink(temporary.c_str());
    throw;
  }
  sync_directory(parent_of(path));
}

void append_line(const std::string& path, std::string_view line) { append_bytes(path, std::string(line) + "\n"); }

void append_bytes(const std::string& path, std::string_view bytes) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) fail("open", path, errno);
  const off_t before = lseek(fd, 0, SEEK_END);
  try {
    write_all(fd, bytes, path);
  } catch (...) {
    if (before >= 0) static_cast<void>(ftruncate(fd, before) == 0);  // at worst a part stays
    ::close(fd);
    throw;
  }
  if (system_calls.close(fd) != 0) fail("close", path, errno);
}

void sync_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const int result = fd < 0 ? -1 : system_calls.fsync(fd), error = errno;
  if (fd >= 0) ::close(fd);
  if (result != 0) system_failure("{}: cannot sync ({})", shown_path(path), std::strerror(error));
}

std::string temporary_directory(const std::string& path) {
  const std::string temporary = temporary_beside(path);
  remove_tree(temporary);
  make_directories(temporary);
  return temporary;
}

// Renames `path` to a temporary name and returns that; "" when there is nothing.
static std::string set_aside(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 && errno == ENOENT) return "";
  const std::string gone = temporary_beside(path + ".gone");
  remove_tree(gone);
  rename_to(path, gone);
  return gone;
}

void publish_directory(const std::string& temporary, const std::string& path) {
  sync_directory(temporary);
  if (replace_directory(temporary, path)) return;
  rename_to(temporary, path);
  sync_directory(parent_of(path));
}

void remove_directory(const std::string& path) {
  if (const std::string gone = set_aside(path); !gone.empty()) remove_tree(gone);
}

void atomic_symlink(const std::string& target, const std::string& link) {
  const std::string temporary = temporary_beside(link);
  ::unlink(temporary.c_str());
  if (::symlink(target.c_str(), temporary.c_str()) != 0) fail("link", link, errno);
  try {
    rename_to(temporary, link);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_directory(parent_of(link));
}

void make_directories(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail("create", path, error.value());
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
  if (error) fail("read", path, error.value());
  std::sort(names.begin(), names.end());
  return names;
}

void remove_leftovers(const std::string& directory) {
  for (const std::string& name : list_directory(directory)) {
    const pid_t owner = owner_of(name);
    const bool dead = owner > 0 && (owner == getpid() || (kill(owner, 0) != 0 && errno == ESRCH));
    if (dead) remove_tree(directory + "/" + name);
  }
}

std::string read_file(const std::string& path, size_t limit) {
  const auto refuse_file = [&](int error) {
    refuse("{}: error: cannot be read ({})", shown_path(path), std::strerror(error));
  };
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && (errno == EIO || errno == EMFILE || errno == ENFILE || errno == ENOMEM)) fail("open", path, errno);
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
  if (error) fail("read", path, error);
  if (unfit) refuse_file(unfit);
  if (too_long) refuse("{}: error: more than the {} bytes that are read of such a file", shown_path(path), limit);
  return out;
}

}  // namespace seqgrad

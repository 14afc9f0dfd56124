// A directory gets its name by one rename: an exchange with the one that has it, or two renames and a name by which the
// first can be undone.
#include "engine/io/directories.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "engine/io/output.h"
#include "engine/io/system_calls.h"

namespace seqgrad {

namespace fs = std::filesystem;

int (*exchange_names)(const char*, const char*) = [](const char* one, const char* other) {
  return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
};

namespace {

constexpr std::string_view older = ".seqgrad-older";  // ends the name of what is being replaced

void remove_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) system_refused("remove", path, error.value());
}

bool is_there(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 || errno != ENOENT;
}

void replace_in_two_steps(const std::string& newer, const std::string& path, const std::string& aside) {
  remove_tree(aside);
  rename_to(path, aside);
  try {
    rename_to(newer, path);
  } catch (...) {
    static_cast<void>(std::rename(aside.c_str(), path.c_str()) == 0);
    throw;
  }
}

}  // namespace

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

std::string temporary_directory(const std::string& path) {
  const std::string temporary = temporary_name(path);
  make_directories(temporary);
  return temporary;
}

void publish_directory(const std::string& temporary, const std::string& path) {
  sync_directory(temporary);
  std::string gone = temporary;  // what has lost its name
  if (!is_there(path)) {
    rename_to(temporary, path);
    gone = "";
  } else if (exchange_names(temporary.c_str(), path.c_str()) != 0) {
    // The file system or the kernel has no such rename.
    if (errno != EINVAL && errno != ENOSYS) system_refused("rename to", path, errno);
    gone = path + std::string(older);
    replace_in_two_steps(temporary, path, gone);
  }
  try {
    sync_directory(directory_of(path));
  } catch (...) {
    if (!gone.empty()) remove_tree(gone);
    throw;
  }
  if (!gone.empty()) remove_tree(gone);
}

void restore_replaced(const std::string& directory) {
  for (const std::string& name : list_directory(directory)) {
    if (!name.ends_with(older)) continue;
    const std::string aside = directory + "/" + name, path = aside.substr(0, aside.size() - older.size());
    if (is_there(path))
      remove_tree(aside);
    else
      rename_to(aside, path);
  }
}

void remove_directory(const std::string& path) {
  if (!is_there(path)) return;
  const std::string gone = temporary_name(path);
  rename_to(path, gone);
  remove_tree(gone);
}

void remove_leftovers(const std::string& directory) {
  for (const std::string& name : list_directory(directory)) {
    const pid_t owner = temporary_owner(name);
    const bool dead = owner > 0 && (owner == getpid() || (kill(owner, 0) != 0 && errno == ESRCH));
    if (dead) remove_tree(directory + "/" + name);
  }
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

}  // namespace seqgrad

// One rename that exchanges two names, or two renames and a name by which the first can be undone.
#include "engine/io/replace_directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "engine/core/error.h"
#include "engine/io/atomic_write.h"
#include "engine/io/system_calls.h"

namespace seqgrad {

namespace fs = std::filesystem;

int (*exchange_names)(const char*, const char*) = [](const char* one, const char* other) {
  return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
};

namespace {

constexpr std::string_view older = ".seqgrad-older";  // ends the name of what is being replaced

[[noreturn]] void fail(const char* what, const std::string& path, int error) {
  system_failure("{}: cannot {} ({})", shown_path(path), what, std::strerror(error));
}

void remove_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) fail("remove", path, error.value());
}

bool is_there(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 || errno != ENOENT;
}

// The directory that holds `path` is synced, then what has lost its name goes, also where that failed.
void sync_and_remove(const std::string& path, const std::string& gone) {
  const std::string parent = fs::path(path).parent_path().string();
  try {
    sync_file(parent.empty() ? "." : parent);
  } catch (...) {
    remove_tree(gone);
    throw;
  }
  remove_tree(gone);
}

void replace_in_two_steps(const std::string& newer, const std::string& path) {
  const std::string aside = path + std::string(older);
  remove_tree(aside);
  if (system_calls.rename(path.c_str(), aside.c_str()) != 0) fail("rename to", aside, errno);
  if (system_calls.rename(newer.c_str(), path.c_str()) != 0) {
    const int error = errno;
    static_cast<void>(std::rename(aside.c_str(), path.c_str()) == 0);
    fail("rename to", path, error);
  }
  sync_and_remove(path, aside);
}

}  // namespace

bool replace_directory(const std::string& newer, const std::string& path) {
  if (!is_there(path)) return false;
  if (exchange_names(newer.c_str(), path.c_str()) == 0)
    sync_and_remove(path, newer);
  else if (errno == EINVAL || errno == ENOSYS)  // the file system or the kernel has no such rename
    replace_in_two_steps(newer, path);
  else
    fail("rename to", path, errno);
  return true;
}

void restore_replaced(const std::string& directory) {
  for (const std::string& name : list_directory(directory)) {
    if (!name.ends_with(older)) continue;
    const std::string aside = directory + "/" + name, path = aside.substr(0, aside.size() - older.size());
    if (is_there(path))
      remove_tree(aside);
    else if (system_calls.rename(aside.c_str(), path.c_str()) != 0)
      fail("rename to", path, errno);
  }
}

}  // namespace seqgrad

// Names, not inodes, are kept: an inode's number is given to another file once its own is removed.
#include "engine/io/inputs.h"

#include <sys/stat.h>

#include <mutex>
#include <set>

#include "engine/core/error.h"

namespace seqgrad {
namespace {

struct Inputs {
  std::mutex mutex;
  std::set<std::string> paths;
};
Inputs& inputs() {
  static Inputs all;
  return all;
}

}  // namespace

void remember_input(const std::string& path) {
  const std::lock_guard lock(inputs().mutex);
  inputs().paths.insert(path);
}

void refuse_input(const std::string& path) {
  struct stat output {};
  if (stat(path.c_str(), &output) != 0 || !S_ISREG(output.st_mode)) return;
  const std::lock_guard lock(inputs().mutex);
  for (const std::string& input : inputs().paths) {
    struct stat info {};
    if (stat(input.c_str(), &info) != 0 || info.st_dev != output.st_dev || info.st_ino != output.st_ino) continue;
    refuse("{}: error: {} read by this command, and would be replaced; name another file to write", shown_path(path),
           input == path ? "it is" : fmt::format("it is {}, which is", shown_path(input)));
  }
}

}  // namespace seqgrad

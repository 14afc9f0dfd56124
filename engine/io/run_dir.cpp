// mkdir decides who gets a number, flock who works in a directory: both are atomic.
#include "engine/io/run_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/core/error.h"
#include "engine/io/atomic_write.h"

namespace seqgrad {

std::string new_run_directory(const std::string& parent, const std::string& name) {
  make_directories(parent);
  for (int i = 1; i < 10000; ++i) {
    std::string path = fmt::format("{}/{}-{:04}", parent, name, i);
    if (mkdir(path.c_str(), 0755) == 0) return path;
    if (errno != EEXIST) system_failure("{}: cannot create ({})", path, std::strerror(errno));
  }
  system_failure("{}/{}-0001 to -9999 all exist; move some away", parent, name);
}

RunLock::RunLock(const std::string& directory) {
  const std::string path = directory + "/.lock";
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) system_failure("{}: cannot create ({})", path, std::strerror(errno));
  if (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    char pid[32] = {};
    const ssize_t n = pread(fd_, pid, sizeof pid - 1, 0);
    close(fd_);
    refuse("{}: another process{} trains in this directory; wait for it, or start a new run", directory,
           n > 0 ? fmt::format(" ({})", std::string(pid, static_cast<size_t>(n))) : "");
  }
  const std::string pid = std::to_string(getpid());
  if (ftruncate(fd_, 0) != 0 || pwrite(fd_, pid.data(), pid.size(), 0) < 0)
    system_failure("{}: cannot write ({})", path, std::strerror(errno));
}

RunLock::~RunLock() { close(fd_); }

}  // namespace seqgrad

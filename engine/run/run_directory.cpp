// mkdir decides who gets a number, a record lock who works in a directory: both are atomic, and the lock of a process
// that is gone is gone.
#include "engine/run/run_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/core/error.h"
#include "engine/io/directories.h"

namespace seqgrad {

std::string new_run_directory(const std::string& parent, const std::string& name) {
  make_directories(parent);
  for (int i = 1; i < 10000; ++i) {
    std::string path = fmt::format("{}/{}-{:04}", parent, name, i);
    if (mkdir(path.c_str(), 0755) == 0) return path;
    if (errno != EEXIST) system_failure("{}: cannot create ({})", shown_path(path), std::strerror(errno));
  }
  system_failure("{}/{}-0001 to -9999 all exist; move some away", shown_path(parent), shown(name));
}

RunLock::RunLock(const std::string& directory) {
  const std::string path = directory + "/.lock";
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) system_failure("{}: cannot create ({})", shown_path(path), std::strerror(errno));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(fd_, F_SETLK, &lock) == 0) return;
  const int error = errno;
  const bool named = fcntl(fd_, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0;
  close(fd_);
  if (error != EAGAIN && error != EACCES)
    system_failure("{}: cannot lock ({})", shown_path(path), std::strerror(error));
  refuse("{}: error: another process{} trains in this directory; wait for it, or start a new run",
         shown_path(directory), named ? fmt::format(" ({})", lock.l_pid) : "");
}

RunLock::~RunLock() { close(fd_); }

}  // namespace seqgrad

// Run directories: numbered, locked while a process works in them, never emptied.
#pragma once
#include <string>

namespace seqgrad {

// Makes PARENT/NAME-0001, or the next free number.
std::string new_run_directory(const std::string& parent, const std::string& name);

// Held by the one process that trains in a run directory; a second process is refused at once (InputError).
class RunLock {
 public:
  explicit RunLock(const std::string& directory);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace seqgrad

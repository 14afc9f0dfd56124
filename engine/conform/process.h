// A program that is started with pipes on its standard streams, in a process group of its own.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

namespace seqgrad {

class ChildProcess {
 public:
  // The program is looked for as a shell does. Throws InputError when it cannot be started, and says why.
  explicit ChildProcess(const std::vector<std::string>& command);
  // Ends it and whatever it started in its group; nothing of it is left.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Our ends, which never block.
  int to_input() const { return input_; }
  int from_output() const { return output_; }
  int from_errors() const { return errors_; }

  // Waits so long for its end, which a closed input asks for.
  void close_input();
  bool wait(double seconds);
  // How it ended: "ended with exit code 1", "was killed by signal 11 (Segmentation fault)"; "" while it runs.
  std::string ending() const;

 private:
  pid_t pid_ = -1;
  int input_ = -1, output_ = -1, errors_ = -1;
  bool has_ended_ = false, was_killed_ = false;
  int number_ = 0;  // its exit code, or the signal
};

}  // namespace seqgrad

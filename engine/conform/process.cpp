// fork and exec by hand: between them only what is safe where other threads were running.
#include "engine/conform/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <utility>

#include "engine/core/error.h"

namespace seqgrad {
namespace {

struct PipeEnds {
  int read = -1, write = -1;
};

PipeEnds make_pipe(const std::string& program) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    system_failure("{}: cannot open a pipe ({})", shown_path(program), std::strerror(errno));
  return {ends[0], ends[1]};
}

void close_end(int& fd) {
  if (fd >= 0) close(std::exchange(fd, -1));
}

// In the child. What goes wrong is written to `report`, which exec closes.
[[noreturn]] void become(char* const* arguments, int in, int out, int err, int report, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it ended before the line above
  for (const int number : {SIGPIPE, SIGXFSZ}) std::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0)
    execvp(arguments[0], arguments);
  const int error = errno;
  static_cast<void>(write(report, &error, sizeof error) == 0);
  _exit(127);
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& a : command) arguments.push_back(const_cast<char*>(a.c_str()));
  arguments.push_back(nullptr);
  PipeEnds in = make_pipe(command[0]), out = make_pipe(command[0]), err = make_pipe(command[0]),
           report = make_pipe(command[0]);
  const pid_t self = getpid();
  pid_ = fork();
  if (pid_ == 0) become(arguments.data(), in.read, out.write, err.write, report.write, self);
  const int no_fork = errno;
  for (int* end : {&in.read, &out.write, &err.write, &report.write}) close_end(*end);
  input_ = in.write, output_ = out.read, errors_ = err.read;
  int error = no_fork;
  if (pid_ > 0) {
    setpgid(pid_, pid_);  // as the child does, whoever is first
    error = 0;
    while (read(report.read, &error, sizeof error) < 0 && errno == EINTR) {
    }
  }
  close_end(report.read);
  for (const int end : {input_, output_, errors_}) fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK);
  if (error == 0) return;
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
  for (int* end : {&input_, &output_, &errors_}) close_end(*end);
  refuse("{}: cannot be started ({})", shown_path(command[0]), std::strerror(error));
}

ChildProcess::~ChildProcess() {
  for (int* end : {&input_, &output_, &errors_}) close_end(*end);
  kill(-pid_, SIGKILL);  // the whole group; its number is nobody else's before its first process is waited for
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void ChildProcess::close_input() { close_end(input_); }

bool ChildProcess::wait(double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::duration<double>(seconds);
  while (!has_ended_) {
    siginfo_t info{};
    const int found = waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    has_ended_ = found == 0 && info.si_pid == pid_;
    if (has_ended_) was_killed_ = info.si_code != CLD_EXITED, number_ = info.si_status;
    if (has_ended_ || Clock::now() > until) break;
    poll(nullptr, 0, 5);  // milliseconds
  }
  return has_ended_;
}

std::string ChildProcess::ending() const {
  if (!has_ended_) return "";
  if (was_killed_) return fmt::format("was killed by signal {} ({})", number_, strsignal(number_));
  return fmt::format("ended with exit code {}", number_);
}

}  // namespace seqgrad

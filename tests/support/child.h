// Code in a process of its own.
#pragma once
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

// The exit code of `f` in a process of its own.
template <class F>
int in_child(const F& f) {
  const pid_t pid = fork();
  if (pid == 0) {
    std::signal(SIGABRT, SIG_DFL);  // a report of the tests' own could wait for a lock that nobody holds here
    _exit(f());
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

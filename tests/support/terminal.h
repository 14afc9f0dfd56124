// The executable on a terminal.
#pragma once
#include <pty.h>
#include <sys/wait.h>
#include <test_paths.h>
#include <unistd.h>

#include <string>

// What a terminal of that many columns is sent when `seqgrad ARGUMENTS` runs on it, through a shell; `environment` may
// hold settings such as "TERM=xterm". The exit code, where one is asked for.
inline std::string on_terminal(const std::string& arguments, unsigned short columns,
                               const std::string& environment = "", int* code = nullptr) {
  int terminal = 0;
  winsize size{24, columns, 0, 0};
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, &size);
  if (pid == 0) {
    const std::string command = environment + " exec " SEQGRAD_BINARY " " + arguments;
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  std::string seen;
  char buffer[4096];
  for (ssize_t n = 0; (n = read(terminal, buffer, sizeof buffer)) > 0;) seen.append(buffer, static_cast<size_t>(n));
  close(terminal);
  int status = 0;
  waitpid(pid, &status, 0);
  if (code) *code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  return seen;
}

// A function run in a process of its own, for what ends one or changes its limits.
#pragma once
#include <csignal>
#include <cstdio>
#include <functional>

#include "tests/support/catch.h"
#include "tests/support/scratch.h"

// What `f` writes to standard error in a process of its own, and how that ends: exit code, or 1000 + a signal.
inline Result in_a_process(const std::function<void()>& f) {
  const Scratch dir;
  std::fflush(nullptr);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (!std::freopen((dir / "err").c_str(), "w", stderr)) _exit(99);
    std::setvbuf(stderr, nullptr, _IONBF, 0);
    for (const int s : {SIGABRT, SIGSEGV}) std::signal(s, SIG_DFL);  // not the test framework's
    try {
      f();
    } catch (const seqgrad::Error& e) {
      std::fprintf(stderr, "%s\n", e.what());
      std::fflush(stderr);
      _exit(static_cast<int>(e.code()));
    }
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), "", slurp(dir / "err")};
}

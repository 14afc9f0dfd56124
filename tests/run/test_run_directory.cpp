// Run directories: their numbers, and the lock of the process that works in one.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "engine/run/run_directory.h"
#include "tests/support/catch.h"
#include "tests/support/child.h"
#include "tests/support/scratch.h"
#include "tests/support/timing.h"

using namespace seqgrad;
namespace fs = std::filesystem;

TEST_CASE("a run directory gets the next free number, also when processes race for it") {
  const Scratch dir;
  const std::string parent = dir / "a/runs";
  CHECK(new_run_directory(parent, "x") == parent + "/x-0001");
  fs::create_directories(parent + "/x-0003");
  dir.write("a/runs/x-0002", "a file in the way");
  CHECK(new_run_directory(parent, "x") == parent + "/x-0004");
  CHECK(new_run_directory(parent, "y") == parent + "/y-0001");
  for (int i = 0; i < 8; ++i)
    if (fork() == 0) {
      for (int k = 0; k < 5; ++k) {
        const std::string mine = new_run_directory(parent, "z");
        if (!fs::is_empty(mine)) _exit(1);
        std::ofstream(mine + "/taken") << i;
      }
      _exit(0);
    }
  int status = 0;
  while (wait(&status) > 0) CHECK(status == 0);
  CHECK(fs::exists(parent + "/z-0040/taken"));
  CHECK_FALSE(fs::exists(parent + "/z-0041"));
  dir.write("file", "");
  CHECK(error_of([&] { new_run_directory(dir / "file", "x"); }).substr(0, 2) == "3 ");
}

TEST_CASE("a second process in a run directory is refused at once and told by whom", "[timing]") {
  const Scratch dir;
  int ready[2], done[2];
  REQUIRE(pipe(ready) == 0);
  REQUIRE(pipe(done) == 0);
  const pid_t holder = fork();
  if (holder == 0) {
    const RunLock lock(dir.path);
    char c = 'r';
    if (write(ready[1], &c, 1) != 1 || read(done[0], &c, 1) != 1) _exit(1);
    _exit(0);
  }
  char c = 0;
  REQUIRE(read(ready[0], &c, 1) == 1);
  const auto before = std::chrono::steady_clock::now();
  const std::string message = error_of([&] { RunLock lock(dir.path); });
  CHECK_SECONDS(std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count(), 1);
  CHECK(message.substr(0, 2) == "2 ");
  CHECK(has(message, dir.path.string() + ": error: another process (" + std::to_string(holder) + ") trains in this"));
  REQUIRE(write(done[1], &c, 1) == 1);
  waitpid(holder, nullptr, 0);
  { const RunLock lock(dir.path); }
  CHECK(in_child([&] {
          const RunLock lock(dir.path);
          raise(SIGKILL);
          return 0;
        }) == 1000 + SIGKILL);
  const RunLock free_again(dir.path);
  CHECK(slurp(dir / ".lock").empty());
  for (const int fd : {ready[0], ready[1], done[0], done[1]}) close(fd);
  CHECK(error_of([&] { RunLock lock(dir / "nowhere"); }).substr(0, 2) == "3 ");
}

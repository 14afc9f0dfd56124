// Training on disks of every size that is too small. Only a user who may mount a file system can try.
#include <sched.h>
#include <sys/mount.h>

#include "engine/io/output.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"
#include "tests/support/tiny_run.h"

namespace fs = std::filesystem;

TEST_CASE("a full disk ends training with exit code 3 and the older checkpoint whole") {
  const Scratch dir;
  fs::create_directories(dir / "disk");
  const std::string run = dir / "disk/run";
  const pid_t child = fork();
  if (child == 0) {  // in a name space of its own, so that the disk goes with it
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) _exit(77);
    std::string problems;
    int full = 0;
    for (int pages = 6; pages <= 60; pages += 6) {
      const std::string size = "size=" + std::to_string(pages * 4096);
      if (mount("tmpfs", (dir / "disk").c_str(), "tmpfs", 0, size.c_str()) != 0) _exit(77);
      const Result r = run_seqgrad(dir, tiny("--set checkpoint.keep_last=2 --run-dir " + run));
      full += r.code == 3;
      if (r.code != 0 && r.code != 3) problems += size + ": exit " + std::to_string(r.code) + " " + r.err;
      if (r.code == 3 && (!has(r.err, "error: " + run) || !has(r.err, "(No space left on device)")))
        problems += size + ": " + r.err;
      // What the run still has, and how it goes on when there is room again.
      const std::string last =
          fs::exists(run + "/checkpoints/last")
              ? "the last whole checkpoint is " + fs::read_symlink(run + "/checkpoints/last").string()
              : "no checkpoint was saved yet";
      if (r.code == 3 && fs::exists(run + "/run.json") && !has(r.err, last + "; go on with: "))
        problems += size + ": " + r.err + " lacks: " + last;
      if (fs::exists(run + "/checkpoints/last") && run_seqgrad(dir, "train --dry-run --resume " + run).code != 0)
        problems += size + ": the checkpoint cannot be read";
      if (fs::exists(run + "/checkpoints/last") &&
          run_seqgrad(dir, "translate --checkpoint last " + run, "1 2\n").code != 0)
        problems += size + ": the checkpoint cannot be read";
      umount((dir / "disk").c_str());
    }
    if (full < 3) problems += "the disk was full " + std::to_string(full) + " times only";
    dir.write("problems", problems);
    _exit(problems.empty() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  if (code == 77) {
    WARN("skipped: this user may not mount a file system");
    return;
  }
  CAPTURE(slurp(dir / "problems"));
  CHECK(code == 0);
}

TEST_CASE("an output file that does not fit is told, its older self stands, and no temporary is left") {
  const Scratch dir;
  fs::create_directories(dir / "disk");
  const std::string file = dir / "disk/page.html";
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) _exit(77);
    if (mount("tmpfs", (dir / "disk").c_str(), "tmpfs", 0, "size=40960") != 0) _exit(77);
    seqgrad::write_output(file, "older");
    const std::string said = error_of([&] { seqgrad::write_output(file, std::string(100000, 'x')); });
    const bool one = std::distance(fs::directory_iterator(dir / "disk"), {}) == 1;
    const bool good = said == "3 " + file + ": cannot write (No space left on device)" && slurp(file) == "older" && one;
    _exit(good ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  if (code == 77) {
    WARN("skipped: this user may not mount a file system");
    return;
  }
  CHECK(code == 0);
}

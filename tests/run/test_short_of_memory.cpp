// Memory that ends in the middle of a run: an error of the system in words, never a signal.
#include "tests/support/catch.h"
#include "tests/support/scratch.h"
#include "tests/support/tiny_run.h"

namespace {

std::string short_run(const Scratch& dir) {
  return "exec " + std::string(SEQGRAD_BINARY) + " " +
         tiny("--set train.steps=1 --set precision=fp32 --set threads=1") + " --run-dir " + (dir / "run");
}

Result shell_anew(const Scratch& dir, const std::string& command) {
  std::filesystem::remove_all(dir / "run");
  const int status = std::system(("(" + command + ") >" + (dir / "out") + " 2>" + (dir / "err")).c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), slurp(dir / "out"), slurp(dir / "err")};
}

}  // namespace

TEST_CASE("where oneDNN gets no memory for its code, the run ends with words and exit code 3") {
  const Scratch dir;
  for (int call = 1;; call = 2 * call + 1) {  // how many pieces of code there are depends on the CPU
    CAPTURE(call);
    const Result r =
        // What oneDNN leaks when it gets no memory is its own affair.
        shell_anew(dir, "export ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD=" SEQGRAD_SHORT_OF_MEMORY " SEQGRAD_FAIL_MMAP=" +
                            std::to_string(call) + "; " + short_run(dir));
    CAPTURE(r.err);
    if (r.code == 0 && call > 1) break;
    REQUIRE(r.code == 3);
    CHECK(has(r.err, "error: out of memory: oneDNN, which makes matrix products, did not get the 17 MB"));
  }
}

#if !SEQGRAD_ADDRESS_SANITIZER && !defined(__SANITIZE_THREAD__)  // which take all of the address space
TEST_CASE("a limit of the address space ends a run with words and exit code 3, or not at all") {
  const Scratch dir;
  bool refused = false;
  for (int kib = 56000, trained = 0; trained < 3; kib += 4000) {
    CAPTURE(kib);
    const Result r = shell_anew(dir, "ulimit -v " + std::to_string(kib) + "; " + short_run(dir));
    CAPTURE(r.err);
    if (r.code == 127) {  // the system's loader had no room for the libraries: none of our code has run
      REQUIRE(has(r.err, "error while loading shared libraries"));
      continue;
    }
    REQUIRE((r.code == 0 || r.code == 3));
    if (r.code == 3) CHECK(has(r.err, "error: out of memory"));
    refused |= r.code == 3;
    trained += r.code == 0;
  }
  CHECK(refused);
}
#endif

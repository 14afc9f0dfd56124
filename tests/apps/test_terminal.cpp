// Text from outside on its way through the commands to a terminal or a pipe, and the colours of messages.
#include <algorithm>

#include "engine/text/utf8.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"
#include "tests/support/terminal.h"

namespace {

// Title of the window, C1's way to begin a colour, an override that turns the rest around, a line that is none.
const std::string evil =
    "a\x1b]0;x\a\xc2\x9b"
    "31m\u202Eb\u2028"
    "c";
const std::string evil_shown = "a\\x1b]0;x\\x07\\u009b31m\\u202eb\\u2028c";

// Nothing that a terminal obeys but line ends, and nothing that is not UTF-8.
void check_safe(const std::string& text) {
  CAPTURE(text);
  CHECK(seqgrad::utf8_error(text) == text.size());
  for (const char* raw : {"\x1b", "\a", "\xc2\x9b", "\u202E", "\u2028"}) CHECK_FALSE(has(text, raw));
}

std::string hostile_case(const Scratch& dir) {
  return dir.write("evil.yaml",
                   "about: \"a\\e]0;x\\a\\x9B31m\\u202Eb\\u2028c\"\n"
                   "words: [\"<pad>\", \"a\\e]0;x\\a\\x9B31m\\u202Eb\\u2028c\", z]\n"
                   "loss: {preset: torch.mean}\n"
                   "tensors:\n  logits: [[[0.5, 1.5, -1]]]\n  targets: [[1]]\n  \"gold.value\": 7\n");
}

}  // namespace

TEST_CASE("messages have colours on a terminal that has them, unless NO_COLOR says no") {
  const Scratch dir;
  const std::string arguments = "info --nonsense", red = "\x1b[1;31merror:\x1b[0m info: unknown option";
  int code = 0;
  CHECK(has(on_terminal(arguments, 120, "NO_COLOR= TERM=xterm", &code), red));
  CHECK(code == 2);
  for (const char* plain : {"NO_COLOR=1 TERM=xterm", "NO_COLOR= TERM=dumb", "NO_COLOR= TERM="})
    CHECK(on_terminal(arguments, 120, plain).find("error: info: unknown option") == 0);
  CHECK(run_seqgrad(dir, arguments).err.find("error: info: unknown option") == 0);
  // Only the word is coloured, where it is one; a value that looks like it stays.
  const std::string located = on_terminal("config " + dir.write("c.yaml", "x: 1\n"), 120, "NO_COLOR= TERM=xterm");
  CHECK(has(located, "c.yaml:1:1: \x1b[1;31merror:\x1b[0m unknown key 'x'"));
  CHECK(std::count(located.begin(), located.end(), '\x1b') == 2);
}

TEST_CASE("a case's texts reach neither a terminal nor a pipe as they are") {
  const Scratch dir;
  const std::string path = hostile_case(dir);
  for (const std::string& command :
       {"explain " + path, "check " + path, "loss " + path, "loss " + path + " --which 3"}) {
    CAPTURE(command);
    const Result r = run_seqgrad(dir, command);
    CHECK(r.code < 2);
    check_safe(r.out + r.err);
  }
  const std::string text = run_seqgrad(dir, "explain " + path).out;
  CHECK(has(text, "evil: " + evil_shown + "\n"));
  CHECK(has(text, "  " + evil_shown + "  "));
  // JSON keeps the text for programs, and is ASCII on a terminal.
  CHECK(has(run_seqgrad(dir, "explain --json " + path).out, "\u202Eb\u2028"));
  const std::string seen = on_terminal("explain --json " + path, 80, "TERM=xterm");
  check_safe(seen);
  CHECK(has(seen, "\\u202eb\\u2028c"));
}

TEST_CASE("arguments and names of files are shown escaped") {
  const Scratch dir;
  const std::string name = dir / ("f" + evil + "\xff");
  for (const char* command :
       {"config", "explain", "check", "train", "loss", "translate", "gradcheck", "evaluate", "data"}) {
    CAPTURE(command);
    const Result r = run_seqgrad(dir, std::string(command) + " '" + name + "' </dev/null");
    CHECK(r.code == 2);
    CHECK(has(r.err, "f" + evil_shown + "\\xff"));
    check_safe(r.out + r.err);
  }
  check_safe(run_seqgrad(dir, "train '--" + evil + "'").err);
  check_safe(run_seqgrad(dir, "'" + evil + "'").err);
  check_safe(run_seqgrad(dir, "train c.yaml --set 'x=" + evil + "'").err);
}

TEST_CASE("data stays as it is in a pipe, and is escaped on a terminal") {
  const Scratch dir;
  const std::string lines = "x " + evil + "\ny z\n";
  dir.write("a", lines), dir.write("b", lines);
  const std::string config =
      dir.write("c.yaml", "name: tiny\ndata: {train: {src: " + (dir / "a") + ", trg: " + (dir / "b") +
                              "}, dev: {src: " + (dir / "a") + ", trg: " + (dir / "b") +
                              "}}\nmodel: {embedding: 16, encoder: {hidden: 16}, decoder: {hidden: 16}}\n"
                              "train: {steps: 150, batch: {size: 2}, validate_every: 150}\noptim: {lr: 0.02}\n");
  CHECK(run_seqgrad(dir, "data -q " + config).out == "x " + evil + "\tx " + evil + "\ny z\ty z\n");
  const std::string seen = on_terminal("data -q " + config, 80, "TERM=xterm");
  CHECK(has(seen, "x " + evil_shown + "\tx " + evil_shown));
  check_safe(seen);

  const Result r = run_seqgrad(dir, "train " + config + " --run-dir " + (dir / "run"));
  CHECK(r.code == 0);
  check_safe(r.out + r.err);
  CHECK(has(r.err, "x " + evil_shown));  // samples
  check_safe(slurp(dir / "run/train.log"));
  // What is to be copied into a shell means the same there.
  const size_t at = r.err.find("echo ");
  REQUIRE(at != std::string::npos);
  const std::string quoted = r.err.substr(at, r.err.find(" | ", at) - at);
  CHECK(has(quoted, "$'"));
  dir.write("say", quoted + "\n");
  REQUIRE(std::system(("bash " + (dir / "say") + " >" + (dir / "said")).c_str()) == 0);
  CHECK(slurp(dir / "said") == "x " + evil + "\n");

  const std::string translate = "translate --checkpoint last " + (dir / "run");
  const Result piped = run_seqgrad(dir, translate, lines + "unknown" + evil + "\n");
  CHECK(piped.code == 0);
  CHECK(has(piped.out, evil));
  check_safe(piped.err);
  CHECK(has(piped.err, "'unknown" + evil_shown));
  dir.write("in", lines);
  const std::string shown = on_terminal(translate + " <" + (dir / "in"), 80, "TERM=xterm");
  CHECK(has(shown, evil_shown));
  check_safe(shown);
}

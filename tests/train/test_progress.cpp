// The progress line: its form, how it fits a terminal, and what a terminal, a pipe and `-q` see of a run.
#include <algorithm>
#include <cmath>
#include <csignal>

#include "engine/text/utf8.h"
#include "engine/train/progress.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"
#include "tests/support/terminal.h"

using namespace seqgrad;

namespace {

const ProgressLine example{2, 10, 621, 1450, "2.713/tok", 15.1, 7.8e-4, 1.02, 21400, 0.18, 72};

// Every text between two movements of the cursor.
std::vector<std::string> drawn(const std::string& seen) {
  std::vector<std::string> out(1);
  for (size_t i = 0; i < seen.size(); ++i) {
    if (seen[i] == '\r' || seen[i] == '\n')
      out.emplace_back();
    else if (seen.compare(i, 3, "\033[K") == 0)
      i += 2;
    else
      out.back() += seen[i];
  }
  return out;
}

std::string tiny(const Scratch& dir, const std::string& name) {
  return "train " +
         dir.write("tiny.yaml",
                   "data: {task: copy, sizes: {train: 200, dev: 4, test: 4}}\n"
                   "model: {embedding: 8, encoder: {hidden: 8}, decoder: {hidden: 16}}\nreport: {samples: 0}\n"
                   "train: {steps: 12, batch: {size: 16}, log_every: 3, validate_every: 6}\n") +
         " --run-dir " + (dir / name);
}

}  // namespace

TEST_CASE("the progress line is the specified one") {
  CHECK(format(example, true) ==
        "epoch 2/10 ━━━━━───────  621/1450  loss 2.713/tok  ppl 15.1  lr 7.8e-4  |g| 1.02  21.4k tok/s (pad 18%)  ETA "
        "1:12");
  CHECK(format(example, false) ==
        "epoch 2/10  621/1450  loss 2.713/tok  ppl 15.1  lr 7.8e-4  |g| 1.02  21.4k tok/s (pad 18%)  ETA 1:12");
  ProgressLine odd = example;
  odd.epochs = 0, odd.perplexity = 123456, odd.tokens_per_second = 999, odd.eta_seconds = 3723,
  odd.loss = "2.713 (sum)";
  CHECK(format(odd, false) ==
        "epoch 2  621/1450  loss 2.713 (sum)  ppl 1.2e+05  lr 7.8e-4  |g| 1.02  999 tok/s (pad 18%)  ETA 1:02:03");
}

TEST_CASE("an interval in which nothing counted has neither loss, perplexity nor norm") {
  ProgressLine nothing = example;
  nothing.loss = "nothing counted", nothing.perplexity = nothing.grad_norm = std::nan("");
  CHECK(format(nothing, false) ==
        "epoch 2/10  621/1450  loss nothing counted  lr 7.8e-4  21.4k tok/s (pad 18%)  ETA 1:12");
}

TEST_CASE("a narrow terminal gets the parts that are needed most") {
  for (int64_t columns = 1; columns < 130; ++columns) {
    const std::string line = format(example, true, columns);
    CAPTURE(columns, line);
    CHECK((utf8_characters(line) <= columns || line == "  loss 2.713/tok"));
  }
  CHECK(format(example, true, 72) == "epoch 2/10  621/1450  loss 2.713/tok  ppl 15.1  21.4k tok/s  ETA 1:12");
  CHECK(format(example, true, 40) == "epoch 2/10  621/1450  loss 2.713/tok");
}

TEST_CASE("a terminal has one moving line that fits, a pipe plain lines, and -q neither") {
  const Scratch dir;
  for (const unsigned short columns : {120, 50}) {
    const std::string run = "terminal" + std::to_string(columns);
    const std::string seen = on_terminal(tiny(dir, run), columns, "NO_COLOR=1 TERM=xterm");
    CAPTURE(seen);
    int moving = 0;
    for (const std::string& line : drawn(seen)) {
      if (!line.starts_with("epoch ")) continue;
      ++moving;
      CHECK(utf8_characters(line) < columns);
      CHECK(has(line, "─") == (columns == 120));
    }
    CHECK(moving >= 4);
    CHECK(has(seen, "\033[K"));
    std::string controls = seen;
    for (size_t at = 0; (at = controls.find("\033[K")) != std::string::npos;) controls.erase(at, 3);
    CHECK_FALSE(has(controls, "\033"));  // no colours
    CHECK(has(slurp(dir / run + "/train.log"), "  epoch 1/1  12/13  loss "));
  }
  const std::string coloured = on_terminal(tiny(dir, "coloured"), 120, "NO_COLOR= TERM=xterm");
  CHECK(has(coloured, "  \033[1mloss "));
  const std::string dumb = on_terminal(tiny(dir, "dumb"), 120, "TERM=dumb");
  CHECK_FALSE(has(dumb, "\033"));
  CHECK(std::count(dumb.begin(), dumb.end(), 'g') > 4);
  const Result pipe = run_seqgrad(dir, tiny(dir, "pipe"));
  CHECK_FALSE(has(pipe.err, "\033"));
  CHECK_FALSE(has(pipe.err, "\r"));
  CHECK(has(pipe.err, "\nepoch 1/1  3/13  loss "));
  const std::string quiet = on_terminal(tiny(dir, "quiet") + " -q", 120, "TERM=xterm");
  CHECK(quiet.find("test: 4 sentences") == 0);
  CHECK_FALSE(has(quiet, "epoch"));
  CHECK_FALSE(has(quiet, "See:"));
}

TEST_CASE("what is said after the moving line begins a line of its own") {
  const Scratch dir;
  const std::string seen =
      on_terminal(tiny(dir, "stopped") + " --set train.log_every=1 --max-steps 5", 120, "TERM=xterm");
  CAPTURE(seen);
  int said = 0;
  for (const std::string& line : drawn(seen))
    if (has(line, "saved at step")) {
      ++said;
      CHECK(line.starts_with("saved at step 5; go on with: "));
    }
  CHECK(said == 1);
  const std::string rest = on_terminal("train --resume " + (dir / "stopped"), 120, "TERM=xterm");
  CAPTURE(rest);
  said = 0;
  for (const std::string& line : drawn(rest))
    if (has(line, "test: 4 sentences")) {
      ++said;
      CHECK(line.starts_with("test: "));
    }
  CHECK(said == 1);
}

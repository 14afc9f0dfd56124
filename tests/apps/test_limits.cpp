// Sizes as large as a config allows, weights that no loss takes, names as long as a file system allows.
#include <test_paths.h>
#include <chrono>

#include "engine/train/config.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"
#include "tests/support/timing.h"

using namespace seqgrad;
namespace fs = std::filesystem;

namespace {

#if SEQGRAD_ADDRESS_SANITIZER
const std::string one_gigabyte = "";  // AddressSanitizer reserves terabytes of addresses
#else
const std::string one_gigabyte = "ulimit -v 1500000; ";  // 1 GB and what a process has before it does anything
#endif

// A model that trains in hundredths of a second.
std::string tiny(const Scratch& dir) {
  std::string pairs;
  for (int i = 0; i < 12; ++i) pairs += "a b\tc d\nb\td\n";
  dir.write("pairs.tsv", pairs);
  return dir.write("tiny.yaml",
                   "data: {train: {tsv: pairs.tsv}, dev: {tsv: pairs.tsv}}\n"
                   "model: {embedding: 2, encoder: {hidden: 2}, decoder: {hidden: 2}}\n"
                   "train: {steps: 2, batch: {size: 4}}\ndecode: {max_ratio: 1.0, max_extra: 1}\n");
}

}  // namespace

TEST_CASE("no number that a config may hold crashes a run, hangs it, or takes a gigabyte", "[timing]") {
  const Scratch dir;
  const std::string config = tiny(dir);
  const Config defaults;
  int tried = 0;
  defaults.for_each_field([&](const FieldBase& f) {
    std::string value;
    for (const char* digits : {"9000000000000000000", "1000000000000", "1000000", "65536", "1024", "1000", "100", "16",
                               "1e300", "0.999"}) {  // the first that is legal
      Config c;
      if (!error_of([&] { load(c, config, {f.path() + "=" + digits}); }).empty()) continue;
      value = digits;
      break;
    }
    if (value.empty() || !(has(f.type(), "integer") || has(f.type(), "number"))) return;
    // A long run, and what a larger machine can hold, is legal.
    if (f.path() == "train.steps" || f.path() == "threads" || f.path().starts_with("model.")) return;
    std::string set = f.path() + "=" + value;
    if (f.path() == "train.epochs") set += " --set train.steps=null --max-steps 2";
    CAPTURE(set);
    const fs::path run = dir / "run";
    fs::remove_all(run);
    dir.write("stdin", "");
    const auto begin = std::chrono::steady_clock::now();
    const int status = std::system(("exec timeout 20 sh -c '" + one_gigabyte + "exec " SEQGRAD_BINARY " train " +
                                    config + " -q --run-dir " + run.string() + " --set " + set + " > " + (dir / "out") +
                                    " 2> " + (dir / "err") + "'")
                                       .c_str());
    const Result r{WIFEXITED(status) ? WEXITSTATUS(status) : 1000, slurp(dir / "out"), slurp(dir / "err")};
    CAPTURE(r.err);
    CHECK(r.code <= 2);  // and not 3, out of memory, nor 124, a hang
    CHECK((r.code == 0 || first_line(r.err).find("error: ") != std::string::npos));
    CHECK(first_line(r.err).size() <= 400);
    CHECK_SECONDS(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), 10);
    if (r.code == 2) CHECK_FALSE(fs::exists(run));
    ++tried;
  });
  CHECK(tried > 25);
}

TEST_CASE("weights and probabilities that no loss takes are refused before anything runs") {
  const Scratch dir;
  dir.write("ok.tsv", "a\tb\nc\td\n");
  dir.write("negative.tsv", "a\tb\t1\nc\td\t-1\n");
  dir.write("infinite.tsv", "a\tb\t1\nc\td\tinf\n");
  dir.write("tokens", "1 1\n1 -0.5\n");
  const auto refused = [&](const std::string& tsv, const std::string& options, const std::string& why) {
    const std::string config =
        dir.write("c.yaml", "data: {train: {tsv: " + tsv + "}, dev: {tsv: ok.tsv}}\n" +
                                "train: {steps: 1}\nmodel: {embedding: 2, decoder: {hidden: 2}}\n");
    const Result r = run_seqgrad(dir, "train " + config + " --run-dir " + (dir / "run") + " " + options);
    CAPTURE(tsv, options, r.err);
    CHECK(r.code == (why.empty() ? 0 : 2));
    CHECK(has(first_line(r.err), why));
    CHECK(fs::exists(dir / "run") == why.empty());
    fs::remove_all(dir / "run");
  };
  const std::string example = "--set loss.weights.example=true ", at = dir.path.string();
  refused("negative.tsv", example, "negative.tsv:2: example weight -1; expected at least 0");
  refused("negative.tsv", example + "--set loss.weights.allow_negative=true", "");
  refused("infinite.tsv", example, "infinite.tsv:2: expected a number such as 0.5, got 'inf'");
  refused("ok.tsv", "--set data.weights.token=" + (dir / "tokens") + " --set loss.weights.token=true",
          at + "/tokens:2: token weight -0.5; expected at least 0");
  const std::string classes = "--set loss.weights.class.file=" + (dir / "numbers");
  dir.write("numbers", "1\n1\n1\n1\n1\n-1\n");
  refused("ok.tsv", classes,
          at + "/numbers:6: error: loss.weights.class.file: expected one number of at least 0, got '-1'");
  dir.write("numbers", "1\n1\nnan\n1\n1\n1\n");
  refused("ok.tsv", classes, "numbers:3: error: loss.weights.class.file: expected one number of at least 0, got 'nan'");
  dir.write("numbers", "1\n1\n1\n1\n1\n");
  refused("ok.tsv", classes, "loss.weights.class.file: 5 numbers; the target vocabulary has 6 entries");
  dir.write("numbers", "1\n1\n1\n1\n1\n1\n");
  refused("ok.tsv",
          "--set loss.smoothing.kind=prior --set loss.smoothing.epsilon=0.1 --set loss.smoothing.prior=" +
              (dir / "numbers"),
          at + "/numbers: error: loss.smoothing.prior: the numbers sum to 6; expected probabilities, which sum to 1");
}

TEST_CASE("messages stay short and printable whatever a file is called") {
  const Scratch dir;
  const auto first = [&](const std::string& source, const std::string& target) {
    std::string yaml = "data:\n";
    for (const char* split : {"train", "dev"})
      yaml += std::string("  ") + split + ": {src: \"" + source + "\", trg: \"" + target + "\"}\n";
    const Result r = run_seqgrad(dir, "train " + dir.write("c.yaml", yaml) + " --run-dir " + (dir / "run"));
    CHECK(r.code == 2);
    CHECK(first_line(r.err).size() <= 400);
    CHECK(has(first_line(r.err), "error: "));
    CHECK(std::none_of(r.err.begin(), r.err.end(),
                       [](char c) { return c != '\n' && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f); }));
    return r.err;
  };
  const std::string deep = std::string(200, 'b') + "/" + std::string(200, 'c');
  fs::create_directories(dir / deep);
  dir.write(deep + "/one", "a\n");
  dir.write(deep + "/two", "a\nb\n");
  dir.write("one", "a\n");
  dir.write("c\x1b[31m\n.txt", "a\nb\n");
  CHECK(has(first(deep + "/one", deep + "/two"), "/one has 1 line but …"));
  CHECK(has(first("c\\e[31m\\n.txt", "one"), "/c\\x1b[31m\\n.txt has 2 lines but "));
  CHECK(has(first("nowhere\\e", "one"), "/nowhere\\x1b: cannot be read (No such file or directory)"));
  dir.write("empty", "");
  dir.write("blank", "\n \n\t\n");
  CHECK(has(first("empty", "empty"), "empty is empty"));
  CHECK(has(first("blank", "blank"), "no pair left of 3: 3 blank on a side"));
}

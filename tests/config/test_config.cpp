// Configs: every refusal with its exact text, and what is generated from the declarations.
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <clocale>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <locale>
#include <nlohmann/json.hpp>
#include <random>

#include "engine/config/describe.h"
#include "engine/text/utf8.h"
#include "tests/support/catch.h"
#include "tests/support/config_walk.h"
#include "tests/support/scratch.h"
#include "tests/support/timing.h"

using namespace seqgrad;

namespace {

// A type of a section's own, as a divisor is.
struct Pace {
  int64_t every = 1;
  bool operator==(const Pace&) const = default;
};

std::vector<std::string> growing_registry{"adam", "sgd"};

}  // namespace

template <>
struct seqgrad::Codec<Pace> {
  static std::string parse(const Node& node, Pace& value) {
    const Node* every = node.find("every");
    if (!every || node.keys.size() != 1) return "expected {every: n}, got " + node.describe();
    return Codec<int64_t>::parse(*every, value.every);
  }
  static std::string yaml(const Pace& value) { return fmt::format("{{every: {}}}", value.every); }
  static std::string type() { return "pace"; }
  static std::string schema() { return R"({"type":"object"})"; }
  static std::vector<std::string> examples() { return {"{every: 1}", "{every: 2}"}; }
};

namespace {

struct LossConfig : Section {
  using Section::Section;
  Field<double> label_smoothing{this, "label_smoothing", 0.0, from_below(0, 1), "mass taken from the target"};
  Field<std::vector<std::string>> compare{this, "compare", {}, choice({"sum", "mean"}), "losses shown beside it"};
  Field<std::optional<int64_t>> ignore_index{this, "ignore_index", std::nullopt, "targets that do not count"};
};

struct OptimConfig : Section {
  using Section::Section;
  Field<std::string> name{this, "name", "adam", choice([] { return growing_registry; }), "which optimiser | rule"};
  Field<double> lr{this, "lr", 1e-3, above(0), "learning rate"};
  Field<std::vector<double>> betas{this, "betas", {0.9, 0.999}, inside(0, 1), "decays of the moments"};
  Field<std::optional<double>> clip{this, "clip", std::nullopt, above(0), "largest norm"};
};

struct TrainConfig : Section {
  using Section::Section;
  Field<int64_t> steps{this, "steps", 1000, between(1, 1'000'000), "steps"};
  Field<int64_t> warmup{this, "warmup", 0, at_least(0), "steps of warm-up"};
  Field<double> momentum{this, "momentum", 0.5, at_most(1), "share of the last step"};
  Field<double> floor{this, "floor", 0.5, below(1), "smallest factor"};
  Field<bool> shuffle{this, "shuffle", true, "shuffle"};
  Field<Pace> log{this, "log", Pace{}, "how often"};
  void check(Problems& problems) const override {
    if (warmup() > steps()) problems.add(warmup, "is longer than train.steps");
    if (floor() == 0.25 && momentum() == 0.25) problems.add(floor, "must differ from train.momentum");
  }
};

struct Config : Section {
  using Section::Section;
  Field<std::string> name{this, "name", "run", "name of the run"};
  Field<Path> text{this, "text", Path{}, "a file"};
  Field<std::map<std::string, std::string>> rename{this, "rename", {}, "new names"};
  LossConfig loss{this, "loss", "what is minimised"};
  OptimConfig optim{this, "optim", "how parameters move"};
  TrainConfig train{this, "train", "how long"};
  void check(Problems& problems) const override {
    if (optim.name() == "sgd" && train.warmup() > 0) problems.add(optim.name, "contradicts train.warmup");
  }
};

std::string said(const std::function<void()>& f) {
  try {
    f();
  } catch (const ConfigError& e) {
    CHECK(e.code() == ExitCode::refused);
    return e.what();
  }
  return "";
}

// The report on a text, or "".
std::string report(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return said([&] {
    Config config;
    load(config, parse_yaml(text, "a.yaml"), overrides);
  });
}
std::string report_of(const std::vector<std::string>& overrides) {
  return said([&] {
    Config config;
    load(config, "", overrides);
  });
}
// The report of one problem: its line, perhaps an excerpt, and the count.
std::string one(const std::string& problem) { return problem + "\n1 error; nothing was run"; }

struct Folder {
  Folder() : path(std::filesystem::temp_directory_path() / fmt::format("seqgrad_config_{}", getpid())) {
    std::filesystem::create_directories(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name, std::ios::binary) << text;
    return (path / name).string();
  }
  std::filesystem::path path;
};

std::string repeated(const std::string& text, size_t bytes) {
  std::string out;
  while (out.size() + text.size() <= bytes) out += text;
  return out;
}

}  // namespace

TEST_CASE("a number or a yes or no is offered to no key that names a file") {
  const Config config;
  const auto offered = [&](const char* text) { return config.text.offer(parse_yaml(text, "a.yaml")); };
  for (const char* text :
       {"512", "'512'", "1", "0.5", "1e-4", "1_000", "512k", "true", "yes", "'on'", "0", "no", "none", "null"}) {
    CAPTURE(text);
    CHECK(offered(text) == "");
  }
  CHECK(offered("train.de") == "train.de");
  CHECK(offered("512.txt") == "512.txt");
  CHECK(has(report_of({"text=5"}), "text: expected text, got '5' (write \"5\" in quotes)"));
}

TEST_CASE("a report is exactly as documented") {
  std::string text = "# German to English\nloss:\n";
  text += std::string(11, '\n') + "  label_smothing: 0.1\n";    // line 14
  text += "train:\n" + std::string(5, '\n') + "  lr: 0.001\n";  // line 21
  text += std::string(8, '\n') + "  steps:  1e3\n";             // line 30
  CHECK(said([&] {
          Config config;
          load(config, parse_yaml(text, "configs/de_en.yaml"));
        }) == R"(configs/de_en.yaml:14:3: error: unknown key 'label_smothing' in 'loss'
   14 |   label_smothing: 0.1
      |   ^~~~~~~~~~~~~~
      = did you mean 'label_smoothing'?
configs/de_en.yaml:21:3: error: 'lr' belongs in 'optim', not in 'train'
configs/de_en.yaml:30:11: error: train.steps: expected an integer, got '1e3' (write 1000)
3 errors; nothing was run)");
}

TEST_CASE("every kind of problem is reported in one run, sorted by line, options last") {
  const std::string text =
      "train:\n  warmup: 7\n  steps: 5\n  floor: 0.25\n  momentum: x\n"
      "optim: {lr: &a 0, lr: 1, betas: [1, a, 0.5], clip: *a}\nnme: x\nignore_index: 3\n";
  const std::string all = said([&] {
    Folder folder;
    Config config;
    load(config, folder.write("a.yaml", text), {"optim.name=adm", "loss.label_smoothing=1", "train.log=3"});
  });
  std::vector<std::string> lines;
  std::istringstream in(all);
  for (std::string line; std::getline(in, line);) {
    const size_t at = line.find("a.yaml:");
    if (at != std::string::npos) line = line.substr(at);
    if (line.find(" | ") == std::string::npos) lines.push_back(line);
  }
  CHECK(lines ==
        std::vector<std::string>{
            "a.yaml:2:11: error: train.warmup: is longer than train.steps",
            "a.yaml:5:13: error: train.momentum: expected a finite number, got 'x'",
            "a.yaml:6:13: error: anchors are not supported; remove the '&…'",
            "a.yaml:6:13: error: optim.lr: expected above 0, got '0'",
            "a.yaml:6:19: error: 'lr' stands twice in the same section",
            "a.yaml:6:34: error: optim.betas[0]: expected above 0 and below 1, got '1'",
            "a.yaml:6:37: error: optim.betas[1]: expected a finite number, got 'a'",
            "a.yaml:6:52: error: aliases are not supported; write the value out",
            "a.yaml:7:1: error: unknown key 'nme' at the top level", "      = did you mean 'name'?",
            "a.yaml:8:1: error: 'ignore_index' belongs in 'loss', not at the top level",
            "--set optim.name=adm: error: optim.name: expected one of adam, sgd, got 'adm' (did you mean 'adam'?)",
            "--set loss.label_smoothing=1: error: loss.label_smoothing: expected at least 0 and below 1, got '1'",
            "--set train.log=3: error: train.log: expected {every: n}, got '3'", "13 errors; nothing was run"});
}

TEST_CASE("a contradiction is reported only where both sides are what the user wrote") {
  CHECK(report("train: {warmup: 7, steps: 5}") == one("a.yaml:1:17: error: train.warmup: is longer than train.steps"));
  // steps is refused: its default 1000 says nothing about warmup.
  CHECK(report("train: {warmup: 2000, steps: x}") ==
        one("a.yaml:1:30: error: train.steps: expected an integer, got 'x'"));
  CHECK(report("train: {warmup: 2000, stps: 3000}").find("longer") == std::string::npos);
  CHECK(report("steps: 3000\ntrain: {warmup: 2000}").find("longer") == std::string::npos);
  CHECK(report("train: {warmup: 7}\noptim: {name: sgd}") ==
        one("a.yaml:2:15: error: optim.name: contradicts train.warmup"));
  CHECK(report("optim: {name: sgd}", {"train.warmup=7", "train.steps=5"}) ==
        "a.yaml:1:15: error: optim.name: contradicts train.warmup\n"
        "--set train.warmup=7: error: train.warmup: is longer than train.steps\n2 errors; nothing was run");
  CHECK(report_of({"optim.name=sgd", "train.warmup=["}).find("contradicts") == std::string::npos);
  // The same where a value was lost before it reached its key.
  const std::string both = "train: {warmup: 7, steps: 5}";
  for (const char* option : {"train.steps=[", "train=3", "train.steps=x"})
    CHECK(report(both, {option}).ends_with("\n1 error; nothing was run"));
  const Folder folder;
  const auto from_file = [&](const std::string& text) {
    return said([&] {
      Config config;
      load(config, folder.write("b.yaml", text));
    });
  };
  CHECK(from_file("train: {warmup: 7, steps: 5}").find("longer") != std::string::npos);
  CHECK(from_file("train: {warmup: 7, steps: 5, steps: 8}").find("longer") == std::string::npos);
  CHECK(from_file("rename: {a: &x b}\ntrain: {warmup: 2000, steps: *x}").find("longer") == std::string::npos);
  // And what was refused once is not refused again as something else.
  CHECK(from_file("train: {steps: ! 5}").ends_with("\n1 error; nothing was run"));
  CHECK(from_file("rename: {a: &x b}\n*x : c\nname: d\n").ends_with("\n2 errors; nothing was run"));
  struct Impossible : Section {
    Field<int64_t> a{this, "a", 1, "a number"};
    void check(Problems& problems) const override {
      if (a() == 1) problems.add(a, "must be written");
    }
  };
  CHECK(said([] {
          Impossible config;
          load(config, "");
        }) == one("error: a: must be written"));
  CHECK(said([&] {
          Impossible config;
          load(config, folder.write("c.yaml", "a: 2\nb: ["));
        }).find("must be written") == std::string::npos);
}

TEST_CASE("values of a wrong type or spelling are refused with the way to write them") {
  const std::pair<std::string, std::string> table[] = {
      {"train.steps=1.5", "train.steps: expected an integer, got '1.5'"},
      {"train.steps=many", "train.steps: expected an integer, got 'many'"},
      {"train.steps=", "train.steps: expected an integer, got nothing (write 1000, the default)"},
      {"train.steps='5'", "train.steps: expected an integer, got '5' (write it without quotes)"},
      {"train.steps=[5]", "train.steps: expected an integer, got a list (write 5)"},
      {"train.steps={a: 5}", "train.steps: expected an integer, got a section"},
      {"train.steps=010", "train.steps: expected an integer, got '010' (write 10)"},
      {"train.steps=-010", "train.steps: expected an integer, got '-010' (write -10)"},
      {"train.steps=000", "train.steps: expected an integer, got '000' (write 0)"},
      {"train.steps=0x1F", "train.steps: expected an integer, got '0x1F' (write 31)"},
      {"train.steps=0o17", "train.steps: expected an integer, got '0o17' (write 15)"},
      {"train.steps=0b11", "train.steps: expected an integer, got '0b11' (write 3)"},
      {"train.steps=1_000", "train.steps: expected an integer, got '1_000' (write 1000)"},
      {"train.steps=+5", "train.steps: expected an integer, got '+5' (write 5)"},
      {"train.steps=5x", "train.steps: expected an integer, got '5x'"},
      {"train.steps=5.0", "train.steps: expected an integer, got '5.0' (write 5)"},
      {"train.steps=99999999999999999999x", "train.steps: expected an integer, got '99999999999999999999x'"},
      {"train.steps=9223372036854775808",
       "train.steps: expected an integer between -2^63 and 2^63 - 1, got '9223372036854775808'"},
      {"train.steps=0", "train.steps: expected at least 1 and at most 1000000, got '0'"},
      {"train.steps=1000001", "train.steps: expected at least 1 and at most 1000000, got '1000001'"},
      {"optim.lr=0", "optim.lr: expected above 0, got '0'"},
      {"optim.lr=.nan", "optim.lr: expected a finite number, got '.nan'"},
      {"optim.lr=NaN", "optim.lr: expected a finite number, got 'NaN'"},
      {"optim.lr=inf", "optim.lr: expected a finite number, got 'inf'"},
      {"optim.lr=-.INF", "optim.lr: expected a finite number, got '-.INF'"},
      {"optim.lr=1e999", "optim.lr: expected a finite number, got '1e999'"},
      {"optim.lr=0,5", "optim.lr: expected a number, got '0,5' (write 0.5)"},
      {"optim.lr=00.5", "optim.lr: expected a number, got '00.5' (write 0.5)"},
      {"optim.lr=010", "optim.lr: expected a number, got '010' (write 10)"},
      {"optim.lr=1_0.5", "optim.lr: expected a number, got '1_0.5' (write 10.5)"},
      {"optim.lr=+-5", "optim.lr: expected a finite number, got '+-5'"},
      {"optim.lr=\"1\"", "optim.lr: expected a number, got '1' (write it without quotes)"},
      {"optim.lr=yes", "optim.lr: expected a finite number, got 'yes'"},
      {"train.shuffle=yes", "train.shuffle: expected true or false, got 'yes' (write true)"},
      {"train.shuffle=on", "train.shuffle: expected true or false, got 'on' (write true)"},
      {"train.shuffle=OFF", "train.shuffle: expected true or false, got 'OFF' (write false)"},
      {"train.shuffle=False", "train.shuffle: expected true or false, got 'False' (write false)"},
      {"train.shuffle=1", "train.shuffle: expected true or false, got '1' (write true)"},
      {"train.shuffle='true'", "train.shuffle: expected true or false, got 'true' (write true)"},
      {"name=no", "name: expected text, got 'no' (write \"no\" in quotes)"},
      {"name=5", "name: expected text, got '5' (write \"5\" in quotes)"},
      {"name=010", "name: expected text, got '010' (write \"010\" in quotes)"},
      {"name=", "name: expected text, got nothing (an empty text is written \"\")"},
      {"name=[a]", "name: expected text, got a list (write a)"},
      {"text=''", "text: expected a path, got '' (null means none)"},
      {"text=\"a\\0b\"", "text: expected a path without a zero byte, got 'a\\x00b'"},
      {"rename=x", "rename: expected a section such as {old: new}, got 'x'"},
      {"rename={a: 5}", "rename: 'a': expected text, got '5' (write \"5\" in quotes)"},
      {"optim.betas=0.9", "optim.betas: expected a list such as [a, b], got '0.9' (write [0.9])"},
      {"loss.compare=[sum, men]", "loss.compare[1]: expected one of sum, mean, got 'men' (did you mean 'mean'?)"},
      {"optim=3", "optim: expected a section with keys, got '3'"},
      {"optim=sgd", "optim: expected a section with keys, got 'sgd' (write --set optim.name=sgd)"},
      {"loss=0.1", "loss: expected a section with keys, got '0.1' (write --set loss.label_smoothing=0.1)"},
      {"loss=1", "loss: expected a section with keys, got '1'"},
      {"optim.lr.x=3", "optim.lr: expected a number, got a section"},
      {"lr=3", "'lr' belongs in 'optim', not at the top level\n      = write --set optim.lr=3"},
      {"train.lr=3", "'lr' belongs in 'optim', not in 'train'\n      = write --set optim.lr=3"},
      {"train.optim={}", "'optim' belongs at the top level, not in 'train'"},
      {"=3", "expected KEY=VALUE, such as optim.lr=0.001"},
      {"optim.lr", "expected KEY=VALUE, such as optim.lr=0.001"},
      {"name=a: b: c",
       "no key fits this ':' (check the indentation and the line above; text that holds ': ' needs quotes)"},
  };
  for (const auto& [option, message] : table) {
    CAPTURE(option);
    CHECK(report_of({option}) == one(fmt::format("--set {}: error: {}", shown(option), message)));
  }
}

TEST_CASE("what is written is what is read") {
  Config c;
  load(c,
       parse_yaml("\xEF\xBB\xBFname: Größe 1\r\noptim:\r\n  lr: 2e-6 # small\r\n  clip: null\r\nloss:\r\n", "a.yaml"),
       {"optim.betas=[.5, 1.e-1]", "train.steps=7", "train.steps=8", "rename={a: b, c: 'd e'}"});
  CHECK(c.name() == "Größe 1");
  CHECK(c.optim.lr == 2e-6);
  CHECK(c.optim.betas() == std::vector<double>{0.5, 0.1});
  CHECK(!c.optim.clip().has_value());
  CHECK(c.train.steps() == 8);  // the last --set wins
  CHECK(c.rename().at("c") == "d e");
  CHECK(c.optim.lr.path() == "optim.lr");
  CHECK((c.optim.lr.is_set() && c.optim.clip.is_set() && !c.optim.name.is_set()));
  CHECK((c.optim.lr.origin.line == 3 && c.optim.lr.origin.column == 7 && c.optim.lr.origin.length == 4));
  CHECK(c.train.steps.origin.source->name == "--set train.steps=8");
  CHECK(differences(c) ==
        std::vector<std::string>{"name = \"Größe 1\" (default run)", "rename = {a: b, c: \"d e\"} (default {})",
                                 "optim.lr = 2.0e-06 (default 0.001)",
                                 "optim.betas = [0.5, 0.1] (default [0.9, 0.999])", "train.steps = 8 (default 1000)"});
  const std::string resolved = resolved_yaml(c);
  CHECK(resolved.find("  lr: 2.0e-06                                      # a.yaml:3\n") != std::string::npos);
  CHECK(resolved.find("  steps: 8                                         # --set train.steps=8\n") !=
        std::string::npos);
  CHECK(resolved.find("  warmup: 0                                        # default\n") != std::string::npos);
  Config again;
  load(again, parse_yaml(resolved, "resolved.yaml"));
  CHECK(resolved_yaml(again, false) == resolved_yaml(c, false));
}

TEST_CASE("any text and any number survive the resolved file") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const std::vector<std::string> pieces = {"a",    "\"", "\\",     "'",      ": ", " #", "\n", "\t",  "\x01",
                                           "\x7f", "ß",  "\u0085", "\u2028", "日", "-",  "[",  "}",   ",",
                                           "&",    "*",  "!",      "%",      "@",  "`",  "0",  "null"};
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (size_t n = random() % 6; n > 0; --n) text += pieces[random() % pieces.size()];
    double number = 0;
    do {
      const uint64_t bits = random();
      std::memcpy(&number, &bits, sizeof number);
    } while (!std::isfinite(number));
    Config c, back;
    c.name.set(text);
    c.rename.set({{text, text}});
    c.train.momentum.set(-std::abs(number));
    load(back, parse_yaml(resolved_yaml(c), "resolved.yaml"));
    CAPTURE(text, number);
    REQUIRE(back.name() == text);
    REQUIRE(back.rename() == c.rename());
    REQUIRE(back.train.momentum() == c.train.momentum());
  }
}

TEST_CASE("paths are relative to the file that names them, and to the current folder on the command line") {
  const Folder folder;
  std::filesystem::create_directories(folder.path / "sub");
  const std::string file = folder.write("sub/a.yaml", "text: ../data/x.txt\n");
  Config c;
  load(c, file);
  CHECK(c.text().value == (folder.path / "data/x.txt").string());
  load(c, file, {"text=y.txt"});
  CHECK(c.text().value == (std::filesystem::current_path() / "y.txt").string());
  load(c, file, {"text=/z/../z.txt"});
  CHECK(c.text().value == "/z.txt");
  load(c, file, {"text=null"});
  CHECK(c.text().value == "");
}

TEST_CASE("files that cannot be read are one problem") {
  const Folder folder;
  CHECK(
      said([&] { load_yaml((folder.path / "none.yaml").string()); }) ==
      one(fmt::format("error: {}: cannot be read (No such file or directory)", (folder.path / "none.yaml").string())));
  CHECK(said([&] {
          Config c;
          load(c, folder.path.string(), {"train.steps=x"});
        }) == fmt::format("--set train.steps=x: error: train.steps: expected an integer, got 'x'\n"
                          "error: {}: cannot be read (Is a directory)\n2 errors; nothing was run",
                          folder.path.string()));
  CHECK(said([&] { load_yaml("/" + std::string(300, 'x') + "\x01.yaml"); }).size() < 400);
}

TEST_CASE("what is more or less than one plain YAML document is refused with its own message") {
  const auto excerpt = [](int line, const std::string& text, int column, int length) {
    return fmt::format("{:>5} | {}\n      | {}^{}", line, text, std::string(static_cast<size_t>(column - 1), ' '),
                       std::string(static_cast<size_t>(length - 1), '~'));
  };
  const auto refused = [&](int line, int column, const std::string& message, const std::string& text, int length = 1) {
    return one(fmt::format("a.yaml:{}:{}: error: {}\n", line, column, message) + excerpt(line, text, column, length));
  };
  CHECK(report("name: a\nname: b\n") == refused(2, 1, "'name' stands twice in the same section", "name: b", 4));
  CHECK(report("name: *x\n") == refused(1, 7, "aliases are not supported; write the value out", "name: *x"));
  CHECK(report("name: &x a\n") == refused(1, 7, "anchors are not supported; remove the '&…'", "name: &x a"));
  CHECK(report("optim: {<<: {lr: 1}}\n") ==
        refused(1, 9, "merge keys are not supported; write the values out", "optim: {<<: {lr: 1}}", 2));
  CHECK(report("name: !!str a\n") == refused(1, 7, "tags are not supported; remove the '!…'", "name: !!str a"));
  CHECK(report("name: ! a\n") == refused(1, 7, "tags are not supported; remove the '!…'", "name: ! a"));
  CHECK(report("name: !<tag:x> a\n") == refused(1, 7, "tags are not supported; remove the '!…'", "name: !<tag:x> a"));
  CHECK(report("optim: !!map {}\n") == refused(1, 8, "tags are not supported; remove the '!…'", "optim: !!map {}"));
  CHECK(report("train: {steps: ! 5}\n") ==
        refused(1, 16, "tags are not supported; remove the '!…'", "train: {steps: ! 5}"));
  CHECK(report("\"<<\": a\n") == refused(1, 1, "unknown key '<<' at the top level", "\"<<\": a", 4));
  CHECK(report("'a''b': 1\n") == refused(1, 1, "unknown key 'a'b' at the top level", "'a''b': 1", 6));
  CHECK(report("\xEF\xBB\xBF\"a\\\"b\": 1\n") ==
        refused(1, 1, "unknown key 'a\"b' at the top level", "\"a\\\"b\": 1", 6));
  CHECK(report("name: a\x7f\n") == refused(1, 8, "the control byte 0x7f stands here; remove it", "name: a "));
  CHECK(report("alpha: 1\n") == refused(1, 1, "unknown key 'alpha' at the top level", "alpha: 1", 5));
  CHECK(report("name: a\n---\nname: b\n") == refused(2, 1, "a second document begins here; one file holds one", "---"));
  CHECK(report("name: a\n---\n") == refused(2, 1, "a second document begins here; one file holds one", "---"));
  CHECK(report("---\nname: a\n...\n") == "");
  CHECK(report("optim:\n\tlr: 1\nname:\ta\t\n") ==
        "a.yaml:2:1: error: a tab stands here; use spaces (in a text write \"\\t\")\n    2 |  lr: 1\n      | ^\n"
        "a.yaml:3:6: error: a tab stands here; use spaces (in a text write \"\\t\")\n    3 | name: a \n      |      ^\n"
        "2 errors; nothing was run");
  CHECK(report("name: a\rb\n") == refused(1, 8, "the control byte 0x0d stands here; remove it", "name: a b"));
  CHECK(report(std::string("name: a\0b", 9)) ==
        refused(1, 8, "the control byte 0x00 stands here; remove it", "name: a b"));
  CHECK(report("# ä\nname: ü\xFF\n") == one("a.yaml:2:8: error: byte 9 of this line, 0xff, is not UTF-8"));
  CHECK(report("\xC0\x80") == one("a.yaml:1:1: error: byte 1 of this line, 0xc0, is not UTF-8"));
  CHECK(report("name: 'a\noptim: {lr: 1}\n") == refused(1, 7, "this quote is never closed", "name: 'a", 1));
  CHECK(report("name: \"a") == refused(1, 9, "a quote above is never closed", "name: \"a"));
  CHECK(report("optim: {lr: 1\n") ==
        refused(1, 8, "this bracket is never closed (or a ',' is missing in it)", "optim: {lr: 1"));
  CHECK(report("optim: {}}\n") == refused(1, 10, "this bracket was never opened", "optim: {}}"));
  CHECK(report("name: @a\n") ==
        refused(1, 7, "a value cannot begin with this character; put it in quotes", "name: @a"));
  CHECK(report("name: - a\n") ==
        refused(1, 7, "a list item '- …' cannot stand here; it begins on a line of its own", "name: - a"));
  CHECK(report("name: \"\\q\"\n") ==
        refused(1, 10, "this escape is unknown (in double quotes a backslash is written \\\\)", "name: \"\\q\""));
  CHECK(report("optim:\n  lr: 1\n name: a\n") ==
        refused(3, 2, "this does not continue the section above (check the indentation)", " name: a"));
  CHECK(report(" name: a\noptim: {}\n") ==
        refused(2, 1,
                "this does not continue what stands above (check the indentation, and that a space follows each ':')",
                "optim: {}"));
  CHECK(report("? [a]\n: b\n") == refused(1, 3, "a key must be a plain word", "? [a]"));
  CHECK(report("name:a\n") ==
        one("a.yaml:1:1: error: config: expected a section with keys, got 'name:a' (write a space after each ':')"));
  CHECK(report("- a\n") == one("a.yaml:1:1: error: config: expected a section with keys, got a list"));
  for (const char* empty : {"", "# nothing\n", "---\n", "{}", "optim:\n", "\xEF\xBB\xBF", "\r\n\r\n"})
    CHECK(report(empty) == "");
}

TEST_CASE("long values, names and lines are cut, and control bytes escaped") {
  const std::string junk = repeated("ä\x1b", 3000);
  CHECK(report_of({"name=\"" + repeated("ä\\e", 3000) + "\": 1"}).size() < 600);
  const std::string all = report_of({"loss." + junk + "=1", junk, "optim.name=" + repeated("ß", 5000)});
  std::istringstream in(all);
  for (std::string line; std::getline(in, line);) {
    CHECK(line.size() <= 400);
    CHECK(line.find('\x1b') == std::string::npos);
    CHECK(utf8_error(line) == line.size());
  }
  for (size_t length = 150; length < 250; ++length) {
    const std::string long_name = said([&] {
      Config config;
      load(config,
           parse_yaml("loss: {compare: [" + repeated("ß", 200) + "]}\noptim: {name: " + repeated("日", 300) + "}",
                      std::string(length, 'x') + ".yaml"));
    });
    std::istringstream rows(long_name);
    for (std::string line; std::getline(rows, line);) CHECK((line.size() <= 400 && utf8_error(line) == line.size()));
  }
  const std::string wide =
      report("optim: {betas: [" + repeated("0.5, ", 500) + "], lrr: 1, clip: " + repeated("0", 200) + "1}");
  CHECK(wide.find("    1 | …") != std::string::npos);
  std::istringstream lines(wide);
  for (std::string line; std::getline(lines, line);) CHECK((line.size() <= 120 || line.starts_with("a.yaml:")));
  CHECK(wide.find("0.5, ], lrr: 1, clip: 000") != std::string::npos);
}

TEST_CASE("the line under a problem is cut where it goes on") {
  const std::string line = "lrr: [" + repeated("0.5, ", 500) + "]";
  CHECK(has(report("optim:\n  " + line), "    2 |   " + line.substr(0, 98) + "…\n      |   ^~~\n"));
  const std::string end = report("{name: a, text: " + std::string(200, 'x') + ", lrr: 1}");
  CHECK(has(end, "    1 | …" + std::string(31, 'x') + ", lrr: 1}\n      | " + std::string(34, ' ') + "^~~\n"));
  CHECK(has(report("lrr: " + std::string(95, 'x')), "    1 | lrr: " + std::string(95, 'x') + "\n"));
}

TEST_CASE("an unknown key is told the nearest name, or the sections that have it") {
  CHECK(has(report("loss: {name: x}\n"),
            "'name' in 'loss'\n    1 | loss: {name: x}\n      |        ^~~~\n"
            "      = sections that have it: the top level, optim\n"));
  CHECK(closest("lebel_smooting", {"label_smoothing", "compare"}) == "label_smoothing");
  CHECK(closest(std::string(60, 'k'), {std::string(59, 'k')}) == std::string(59, 'k'));
  CHECK(closest(std::string(61, 'k'), {std::string(60, 'k')}).empty());
  CHECK(closest("ab", {"x"}).empty());
  CHECK(closest("lr", {"lrs", "lr_", "lr"}) == "lr");
}

TEST_CASE("numbers around bounds lie on the side that is asked for") {
  using S = std::vector<std::string>;
  CHECK(numbers_around({}, true, 7, true) == S{"14", "8", "6"});
  CHECK(numbers_around({}, true, 6, true) == S{"12", "3", "7", "5"});
  CHECK(numbers_around({{0, true, true}, {2, false, false}}, false, 0.5, true) ==
        S{"1.0", "0.25", "1.5", "0.0", "0.5", "1.5"});
  CHECK(numbers_around({{0, true, true}, {2, false, false}}, false, 0.5, false) == S{"-0.5", "2.0", "2.5"});
  CHECK(numbers_around({{1, true, false}}, true, 0, false) == S{"1", "0"});
}

TEST_CASE("hundreds of problems end in a count") {
  std::string text;
  for (int i = 0; i < 500; ++i) text += fmt::format("key{}: 1\n", i);
  const std::string all = report(text);
  CHECK(all.find("a.yaml:200:1: error: ") != std::string::npos);
  CHECK(all.find("a.yaml:201:1: error: ") == std::string::npos);
  CHECK(all.ends_with("\nand 300 more\n500 errors; nothing was run"));
}

TEST_CASE("bombs are refused in less than a second and 100 MB", "[timing]") {
  constexpr size_t M = size_t{1} << 20;
  std::string deep, keys;
  for (int i = 0; i < 200; ++i) deep += std::string(static_cast<size_t>(i), ' ') + "a:\n";
  for (int i = 0; keys.size() < M - 20; ++i) keys += fmt::format("k{}: 1\n", i);
  const std::pair<std::string, std::string> bombs[] = {
      {repeated("[", 190'000), "nested more than 32 levels deep"},
      {repeated("[", M), "more than 200000 brackets and commas"},
      {repeated("{", M), "more than 200000 brackets and commas"},
      {repeated("[\n", M), "more than 200000 brackets and commas"},
      {repeated("[{a: ", M), "more than 200000 brackets and commas"},
      {repeated("- ", M), "nested more than 32 levels deep"},
      {repeated("? ", M), "nested more than 32 levels deep"},
      {deep, "nested more than 32 levels deep"},
      {"[" + repeated(",", M - 2) + "]", "more than 200000 brackets and commas"},
      {"{" + repeated("a,", M - 2) + "}", "more than 200000 brackets and commas"},
      {repeated("- 1\n", M), "more than 100000 values"},
      {keys, "more than 100000 values"},
      {"a: &a 1\nb: [" + repeated("*a,", M - 20) + "]", "more than 200000 brackets and commas"},
      {repeated("- *a\n", M), "aliases are not supported"},
      {repeated("---\n", M), "a second document"},
      {repeated("\"", M), "does not continue"},
      {repeated(":", M), "no key fits"},
      {repeated("!", M), "not valid YAML"},
      {repeated("&a ", M), "not valid YAML"},
      {"name: " + std::string(M, 'x'), "larger than 1048576 bytes, the most that a config may have"},
  };
  rusage before{}, after{};
  for (const auto& [text, message] : bombs) {
    CAPTURE(text.substr(0, 20), message);
    getrusage(RUSAGE_SELF, &before);
    const auto start = std::chrono::steady_clock::now();
    const std::string all = report(text);
    CHECK_SECONDS(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 1);
    getrusage(RUSAGE_SELF, &after);
    CHECK(after.ru_maxrss - before.ru_maxrss < 100 * 1024);
    CHECK(all.find(message) != std::string::npos);
    CHECK(all.size() < 100'000);
  }
  CHECK(report_of({repeated("a.", 100'000) + "a=1"}).find("a key of more than 32 parts") != std::string::npos);
}

TEST_CASE("a choice asks its registry each time") {
  growing_registry.push_back("late");
  CHECK(report_of({"optim.name=late"}) == "");
  CHECK(Config().optim.name.range() == "one of adam, sgd, late");
  for (int i = 0; i < 100; ++i) growing_registry.push_back(fmt::format("optimiser_{}", i));
  const std::string many = report_of({"optim.name=optimizer_77"});
  CHECK(many.find(" more, got 'optimizer_77' (did you mean 'optimiser_77'?)") != std::string::npos);
  CHECK(many.find('\n') <= 400);
  growing_registry = {"adam", "sgd"};
}

TEST_CASE("a section reads itself from a part of a document") {
  const Node node =
      parse_yaml("expect: value\nloss: {label_smothing: 1}\ntensors: {logits: [[1, 2e-3], [-3, .5]]}\n", "case.yaml");
  LossConfig loss(nullptr, "loss", "the loss of a case");
  CHECK(said([&] { load(loss, *node.find("loss")); }) ==
        one("case.yaml:2:8: error: unknown key 'label_smothing' in 'loss'\n"
            "    2 | loss: {label_smothing: 1}\n"
            "      |        ^~~~~~~~~~~~~~\n"
            "      = did you mean 'label_smoothing'?"));
  std::vector<std::vector<double>> logits;
  CHECK(Codec<std::vector<std::vector<double>>>::parse(*node.find("tensors")->find("logits"), logits) == "");
  CHECK(logits == std::vector<std::vector<double>>{{1, 2e-3}, {-3, 0.5}});
  std::vector<double> row;
  CHECK(Codec<std::vector<double>>::parse(parse_yaml("[1, x]", "x"), row) ==
        "item 2 of the list: expected a finite number, got 'x'");
  CHECK(node.find("none") == nullptr);
}

TEST_CASE("every key of every type: absent, second value, wrong type, out of range, misspelt") {
  walk_every_key<Config>();
}

TEST_CASE("the schema and the reference say what the loader does") {
  const auto schema = nlohmann::json::parse(json_schema(Config()));
  const auto& optim = schema["properties"]["optim"]["properties"];
  CHECK(schema["additionalProperties"] == false);
  CHECK(optim["lr"] == nlohmann::json::parse(
                           R"({"type":"number","exclusiveMinimum":0,"description":"learning rate","default":0.001})"));
  CHECK(optim["betas"]["items"] ==
        nlohmann::json::parse(R"({"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1})"));
  CHECK(optim["betas"]["default"] == nlohmann::json::parse("[0.9, 0.999]"));
  CHECK(optim["name"]["enum"] == nlohmann::json::parse(R"(["adam","sgd"])"));
  CHECK(optim["clip"]["anyOf"][1]["type"] == "null");
  CHECK(optim["clip"]["default"].is_null());
  CHECK(schema["properties"]["loss"]["properties"]["compare"]["items"]["enum"].size() == 2);
  CHECK(schema["properties"]["train"]["properties"]["log"]["default"]["every"] == 1);
  CHECK(schema["properties"]["loss"]["description"] == "what is minimised");
  CHECK(json_schema(Config()) == json_schema(Config()));
  const std::string reference = reference_markdown(Config());
  CHECK(reference.find("\n## `optim`\n\nhow parameters move\n") != std::string::npos);
  CHECK(reference.find("| `name` | string | `adam` | one of adam, sgd | which optimiser \\| rule |\n") !=
        std::string::npos);
  CHECK(reference.find("| `clip` | number or null | `null` | above 0 | largest norm |\n") != std::string::npos);
}

TEST_CASE("numbers do not depend on the locale") {
  const std::string before = resolved_yaml(Config());
  const auto same = [&] {
    CHECK(resolved_yaml(Config()) == before);
    CHECK(report_of({"optim.lr=0.5"}) == "");
    CHECK(report_of({"optim.lr=0,5"}) != "");
    CHECK(report_of({"train.steps=0"}).find("at most 1000000,") != std::string::npos);
  };
  struct Comma : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  const std::locale usual = std::locale::global(std::locale(std::locale::classic(), new Comma));
  same();
  std::locale::global(usual);
}

TEST_CASE("a damaged file never does worse than be refused") {
  const std::string valid =
      "# a config\nname: \"täst\"\ntext: ../x.txt\nrename: {a: b, 'c d': e}\nloss:\n  label_smoothing: 0.1\n"
      "  compare: [sum, mean]\n  ignore_index: null\noptim: {name: sgd, lr: 2e-6, betas: [0.9, 0.99]}\ntrain:\n"
      "  steps: 100\n  shuffle: false\n  log: {every: 5}\n";
  REQUIRE(report(valid) == "");
  const std::vector<std::string> pieces = {"[",     "]",
                                           "{",     "}",
                                           ":",     ": ",
                                           "\n",    "\n  ",
                                           "- ",    "? ",
                                           "\"",    "'",
                                           "#",     "&a ",
                                           "*a",    "!",
                                           "<<",    "---\n",
                                           "...\n", "%",
                                           "|\n",   ">\n",
                                           ",",     "\t",
                                           "\r\n",  "\xEF\xBB\xBF",
                                           "\xFF",  "~",
                                           "0",     "-",
                                           "e",     "\\",
                                           "\\u",   " ",
                                           "@",     "`",
                                           "null",  std::string(1, '\0'),
                                           "\x04",  "\xC2\x85"};
  const char* fixed = std::getenv("SEQGRAD_FUZZ_SEED");
  const char* rounds = std::getenv("SEQGRAD_FUZZ_ROUNDS");
  const auto seed = fixed ? static_cast<unsigned>(std::stoul(fixed)) : std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const long most = rounds ? std::stol(rounds) : 5000;
  long refused = 0;
  for (long round = 0; round < most; ++round) {
    std::string text = valid;
    for (unsigned n = 1 + random() % 4; n > 0; --n) {
      const size_t at = random() % (text.size() + 1), length = random() % 8;
      switch (random() % 5) {
        case 0: text.insert(at, pieces[random() % pieces.size()]); break;
        case 1: text.erase(at, length); break;
        case 2: text.insert(at, text.substr(random() % (text.size() + 1), length * 4)); break;
        case 3: text.replace(at, std::min(length, text.size() - at), pieces[random() % pieces.size()]); break;
        case 4:
          if (at < text.size()) text[at] = static_cast<char>(random());
      }
    }
    CAPTURE(round, text);
    std::string all;
    REQUIRE_NOTHROW(all = report(text, {"train.warmup=" + text.substr(random() % (text.size() + 1), 9)}));
    if (all.empty()) continue;
    ++refused;
    REQUIRE(utf8_error(all) == all.size());
    REQUIRE(all.ends_with("; nothing was run"));
    std::istringstream in(all);
    for (std::string line; std::getline(in, line);) REQUIRE(line.size() <= 420);
    for (const char c : all) REQUIRE((static_cast<unsigned char>(c) >= 0x20 || c == '\n'));
  }
  CHECK(refused > most / 4);
}

// Runs of the executable that are killed, stopped, starved of disk or fed nonsense: what is published stays whole.
#include <fcntl.h>
#include <sys/resource.h>
#include <test_paths.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>
#include <set>
#include <thread>

#include "engine/core/random.h"
#include "engine/io/output.h"
#include "engine/io/safetensors.h"
#include "tests/support/catch.h"
#include "tests/support/event_reader.h"
#include "tests/support/scratch.h"
#include "tests/support/timing.h"
#include "tests/support/tiny_run.h"

using namespace seqgrad;
namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string as_shell_word(const std::string& text) { return "'" + text + "'"; }

// Starts `seqgrad ARGUMENTS` (through a shell that the process replaces); `prepare` runs in it first.
template <class F>
pid_t start(const Scratch& dir, const std::string& arguments, const F& prepare) {
  const std::string command =
      std::string("exec " SEQGRAD_BINARY " ") + arguments + " < /dev/null > " + dir / "out" + " 2> " + (dir / "err");
  const pid_t pid = fork();
  if (pid == 0) {
    prepare();
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  return pid;
}
pid_t start(const Scratch& dir, const std::string& arguments) {
  return start(dir, arguments, [] {});
}

int finish(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

bool wait_until(const std::function<bool()>& condition, double seconds = 20) {
  for (const auto begin = Clock::now(); seconds_since(begin) < seconds;) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

std::string without_times(const std::string& metrics) {
  std::stringstream in(metrics);
  std::string out;
  for (std::string line; std::getline(in, line);) out += line.substr(0, line.find(",\"seconds\"")) + "\n";
  return out;
}

bool is_time(const std::string& name) { return name == "seconds" || name == "tokens_per_second"; }

// The table of metrics without its columns of times.
std::string without_columns_of_times(const std::string& table) {
  std::stringstream in(table);
  std::string out, line, cell;
  std::set<int64_t> times;
  while (std::getline(in, line)) {
    std::stringstream cells(line + ",");
    for (int64_t i = 0; std::getline(cells, cell, ','); ++i) {
      if (is_time(cell)) times.insert(i);
      if (!times.count(i)) out += cell + ",";
    }
    out += "\n";
  }
  return out;
}

// What TensorBoard shows of one of the run's directories, without times.
std::string shown_scalars(const fs::path& directory) {
  std::string out;
  for (const ReadEvent& e : shown_events(directory))
    for (const auto& [tag, value] : e.values)
      if (!is_time(tag)) out += fmt::format("{} {} {}\n", e.step, tag, value);
  return out;
}

std::string without_name(std::string page, const std::string& name) {
  for (const std::string around : {"<title>", "<h1>"})
    if (const size_t at = page.find(around + name + "<"); at != std::string::npos)
      page.erase(at + around.size(), name.size());
  return page;
}

// All that a finished run leaves and that must not depend on how often it was stopped.
std::map<std::string, std::string> outcome(const fs::path& run) {
  std::map<std::string, std::string> files = {{"tb/train", shown_scalars(run / "tb/train")},
                                              {"tb/test", shown_scalars(run / "tb/test")},
                                              {"tb/dev", shown_scalars(run / "tb/dev")}};
  for (const auto& entry : fs::recursive_directory_iterator(run)) {
    const std::string name = entry.path().lexically_relative(run);
    if (entry.is_symlink())
      files[name] = "-> " + fs::read_symlink(entry.path()).string();
    else if (name == "metrics.jsonl")
      files[name] = without_times(slurp(entry.path()));
    else if (name == "metrics.csv")
      files[name] = without_columns_of_times(slurp(entry.path()));
    else if (name == "report.html")
      files[name] = without_name(slurp(entry.path()), run.filename());
    else if (entry.is_regular_file() && name != "train.log" && name != "run.json" && !name.starts_with("tb/"))
      files[name] = slurp(entry.path());
  }
  return files;
}

// Every file below `directory` with its content.
std::map<std::string, std::string> snapshot(const fs::path& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    files[entry.path()] = entry.is_regular_file() ? slurp(entry.path()) : "";
  return files;
}

// The names of files in `a` and `b` that differ, for messages.
std::string difference(const std::map<std::string, std::string>& a, const std::map<std::string, std::string>& b) {
  std::string names;
  for (const auto& [name, text] : a)
    if (b.count(name) == 0 || b.at(name) != text) names += name + " ";
  for (const auto& [name, text] : b)
    if (a.count(name) == 0) names += "+" + name + " ";
  return names;
}

// Every checkpoint under its published name holds three whole files.
void check_published(const fs::path& run) {
  if (!fs::exists(run / "checkpoints")) return;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints")) {
    const std::string name = entry.path().filename();
    if (name.size() != std::string("step-000000").size() || entry.is_symlink()) continue;
    CAPTURE(name);
    CHECK(error_of([&] { read_safetensors(entry.path() / "model.safetensors"); }).empty());
    CHECK(error_of([&] { read_safetensors(entry.path() / "optim.safetensors"); }).empty());
    CHECK(slurp(entry.path() / "state.json").find("\n}\n") != std::string::npos);
  }
}

}  // namespace

TEST_CASE("a run that is killed at any instant resumes to the bytes of an uninterrupted one") {
  const Scratch dir;
  const auto begin = Clock::now();
  REQUIRE(run_seqgrad(dir, tiny("--run-dir " + (dir / "whole"))).code == 0);
  const double whole_run = seconds_since(begin);
  const auto expected = outcome(dir / "whole");
  const char* asked = std::getenv("SEQGRAD_KILLS");
  const int kills = asked ? std::atoi(asked) : 3;
  const auto seed = static_cast<uint64_t>(Clock::now().time_since_epoch().count());
  Random random(seed, 1);
  const std::string run = dir / "run";
  int before_anything = 0, in_training = 0, after_the_end = 0;
  for (int kill_number = 1; kill_number <= kills; ++kill_number) {
    const bool fresh = !fs::exists(run + "/run.json");
    if (fresh) fs::remove_all(run);
    const pid_t pid = start(dir, fresh ? tiny("--run-dir " + run) : "train --resume " + run);
    const double after = whole_run * random.uniform();
    std::this_thread::sleep_for(std::chrono::duration<double>(after));
    kill(pid, SIGKILL);
    const bool killed = finish(pid) == 1000 + SIGKILL;
    CAPTURE(seed, kill_number, after, slurp(dir / "err"));
    check_published(run);
    if (!fs::exists(run + "/run.json")) {  // killed before training could begin: nothing to resume
      ++before_anything;
      CHECK(run_seqgrad(dir, "train --resume " + run).code == 2);
      continue;
    }
    ++(killed ? in_training : after_the_end);
    if (kill_number % 3 == 1 && kill_number != kills) continue;  // and is killed again when it goes on
    const Result resumed = run_seqgrad(dir, "train --resume " + run);
    CAPTURE(resumed.err);
    CHECK(resumed.code == 0);
    const auto got = outcome(run);
    CAPTURE(difference(expected, got));
    CHECK((got == expected));
    fs::remove_all(run);
  }
  if (asked)
    WARN(kills << " kills, seed " << seed << ": " << in_training << " in training, " << before_anything
               << " before it, " << after_the_end << " too late");
}

TEST_CASE("a run killed at an unlucky instant, as its files show it, goes on all the same") {
  const Scratch dir;
  REQUIRE(run_seqgrad(dir, tiny("--run-dir " + (dir / "whole"))).code == 0);
  const auto expected = outcome(dir / "whole");
  const std::string run = dir / "run", checkpoints = run + "/checkpoints/";
  REQUIRE(run_seqgrad(dir, tiny("--set checkpoint.keep_last=1 --max-steps 12 --run-dir " + run)).code == 0);
  const auto resume = [&] {
    const Result r = run_seqgrad(dir, "train --resume " + run);
    CAPTURE(r.err);
    CHECK(r.code == 0);
    const auto got = outcome(run);
    CAPTURE(difference(expected, got));
    CHECK((got == expected));
    fs::remove_all(run);
    REQUIRE(run_seqgrad(dir, tiny("--max-steps 12 --run-dir " + run)).code == 0);
  };
  SECTION("published, but the links were not moved") {
    fs::remove(checkpoints + "last");
    resume();
  }
  SECTION("half of everything under temporary names") {
    const auto of_dead = [](const std::string& path) {
      std::string name = temporary_name(path);
      return name.replace(name.rfind('-', name.size() - 18) + 1, std::to_string(getpid()).size(), "999999999");
    };
    std::ofstream(of_dead(run + "/metrics.jsonl")) << "x";
    fs::create_directories(of_dead(checkpoints + "step-000013"));
    fs::create_directories(of_dead(checkpoints + "step-000011.gone") + "/x");
    fs::create_symlink("step-000012", of_dead(checkpoints + "last"));
    std::ofstream(run + "/metrics.jsonl", std::ios::app) << "{\"kind\":\"train\",\"st";
    resume();
  }
  SECTION("nothing was saved yet") {
    fs::remove_all(run + "/checkpoints");
    resume();
  }
  SECTION("a later checkpoint stands there when the resumed run is stopped before it") {
    fs::remove(checkpoints + "last");
    fs::create_symlink("step-000010", checkpoints + "last");
    REQUIRE(fs::exists(checkpoints + "step-000010"));
    REQUIRE(run_seqgrad(dir, "train --max-steps 11 --resume " + run).code == 0);
    CHECK(fs::read_symlink(checkpoints + "last") == "step-000011");
    CHECK(fs::exists(checkpoints + "last/state.json"));
    resume();
  }
  SECTION("only the vocabularies were written") {
    fs::remove(run + "/run.json");
    const Result r = run_seqgrad(dir, "train --resume " + run);
    CHECK(r.code == 2);
    CHECK(first_line(r.err) == run + ": error: no run directory; it holds no run.json, so no training has begun in it");
  }
}

TEST_CASE("a run that ended by its patience does not go on when resumed") {
  const Scratch dir;
  const std::string run = dir / "run";
  REQUIRE(run_seqgrad(dir, tiny("--set train.validate_every=1 --set optim.lr=3.0 --set schedule.name=constant --set "
                                "schedule.warmup=0 --set train.early_stopping.patience=1 --run-dir " +
                                run))
              .code == 0);
  const auto before = outcome(run);
  REQUIRE(before.at("checkpoints/last") != "-> step-000030");
  REQUIRE(run_seqgrad(dir, "train --resume " + run).code == 0);
  CAPTURE(difference(before, outcome(run)));
  CHECK((outcome(run) == before));
}

TEST_CASE("a signal ends a run with a checkpoint and the command that goes on, word for word") {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    const Scratch dir;
    const std::string run = dir / "my run";
    CAPTURE(number);
    const pid_t pid =
        start(dir, tiny("--set train.steps=100000 --set train.validate_every=100000 --run-dir " + as_shell_word(run)));
    REQUIRE(wait_until([&] { return fs::exists(run + "/checkpoints/last/state.json"); }));
    kill(pid, number);
    CHECK(finish(pid) == 128 + number);
    const std::string err = slurp(dir / "err"), said = "go on with: ";
    REQUIRE(has(err, said));
    const std::string command = first_line(err.substr(err.find(said) + said.size()));
    CHECK(has(command, "/seqgrad train --resume '" + run + "'"));
    const std::string last = fs::read_symlink(run + "/checkpoints/last");
    CHECK(has(err, "saved at step " + std::to_string(std::stoi(last.substr(5)))));
    const std::string longer = " --max-steps " + std::to_string(std::stoi(last.substr(5)) + 3);
    CHECK(WEXITSTATUS(std::system((command + longer + " 2> " + (dir / "err2")).c_str())) == 0);
    CHECK(fs::read_symlink(run + "/checkpoints/last") != last);
  }
}

TEST_CASE("a reader of the progress who leaves does not stop training") {
  const Scratch dir;
  const std::string run = dir / "run";
  const std::string command =
      SEQGRAD_BINARY " " + tiny("--run-dir " + run) + " 2>&1 > /dev/null | head -n 1; exit ${PIPESTATUS[0]}";
  CHECK(WEXITSTATUS(std::system(("bash -c '" + command + "' > " + (dir / "out")).c_str())) == 0);
  CHECK(fs::read_symlink(run + "/checkpoints/last") == "step-000030");
  const std::string full = SEQGRAD_BINARY " train --resume " + run + " 2> " + (dir / "err") + " > /dev/full";
  CHECK(WEXITSTATUS(std::system(full.c_str())) == 3);
  CHECK(has(slurp(dir / "err"), "error: standard output: cannot write (No space left on device)"));
}

TEST_CASE("a second signal leaves at once", "[timing]") {
  const Scratch dir;
  const std::string run = dir / "run";
  const pid_t pid = start(
      dir,
      tiny("--set data.sizes.dev=20000 --set decode.max_ratio=9.0 --set decode.max_extra=200 --set report.samples=0 "
           "--set train.log_every=1 --set train.validate_every=1 --run-dir " +
           run));
  REQUIRE(wait_until([&] { return fs::exists(run + "/metrics.jsonl"); }));  // step 1 is done, its validation takes long
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  kill(pid, SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));  // within a second it would be the same wish
  CHECK(kill(pid, 0) == 0);
  CHECK(waitpid(pid, nullptr, WNOHANG) == 0);  // the first one alone waits for the step to finish
  const std::string answer =
      "\nstopping: the validation is finished first, then the run is saved; a second signal "
      "leaves without saving\n";
  CHECK(has(slurp(dir / "err"), answer));
  const auto begin = Clock::now();
  kill(pid, SIGTERM);
  CHECK(finish(pid) == 128 + SIGTERM);
  CHECK_SECONDS(seconds_since(begin), 1);
  const std::string err = slurp(dir / "err");
  CHECK_FALSE(has(err, "saved at"));
  const std::string left = "\nleft without saving: what came after the last checkpoint is lost; go on with: ";
  REQUIRE(has(err, left));
  CHECK(err.find(answer) == err.rfind(answer));
  CHECK(has(first_line(err.substr(err.find(left) + left.size())), "/seqgrad train --resume " + run));
  check_published(run);
}

TEST_CASE("a key that is pressed twice within a moment stops a run as one press does") {
  const Scratch dir;
  const std::string run = dir / "run";
  const pid_t pid = start(dir, tiny("--set train.steps=100000 --set train.validate_every=100000 --run-dir " + run));
  REQUIRE(wait_until([&] { return fs::exists(run + "/checkpoints/last/state.json"); }));
  for (const int number : {SIGINT, SIGINT, SIGTERM, SIGINT}) {
    kill(pid, number);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(finish(pid) == 128 + SIGINT);
  CHECK(has(slurp(dir / "err"), "saved at step "));
  for (const std::string part : {"", "/checkpoints", "/samples"})
    for (const auto& entry : fs::directory_iterator(run + part)) CHECK_FALSE(has(entry.path().string(), ".tmp-"));
  CHECK(run_seqgrad(dir, "train --dry-run --resume " + run).code == 0);
}

TEST_CASE("a run that was told to ignore the end of its terminal goes on without it") {
  const Scratch dir;
  const std::string run = dir / "run";
  const pid_t pid = start(dir, tiny("--set train.steps=100000 --set train.validate_every=100000 --run-dir " + run),
                          [] { std::signal(SIGHUP, SIG_IGN); });
  REQUIRE(wait_until([&] { return fs::exists(run + "/checkpoints/last/state.json"); }));
  kill(pid, SIGHUP);
  const std::string then = fs::read_symlink(run + "/checkpoints/last");
  CHECK(wait_until([&] { return fs::read_symlink(run + "/checkpoints/last") != then; }));
  kill(pid, SIGTERM);
  CHECK(finish(pid) == 128 + SIGTERM);
}

TEST_CASE("a second run in a directory is refused within a second", "[timing]") {
  const Scratch dir;
  const std::string run = dir / "run";
  const pid_t pid = start(dir, tiny("--set train.steps=100000 --set train.validate_every=100000 --run-dir " + run));
  REQUIRE(wait_until([&] { return fs::exists(run + "/checkpoints/last/state.json"); }));
  const auto begin = Clock::now();
  const std::string err = dir / "err2";
  const int code =
      WEXITSTATUS(std::system((SEQGRAD_BINARY " train --resume " + run + " > /dev/null 2> " + err).c_str()));
  CHECK_SECONDS(seconds_since(begin), 1);
  CHECK(code == 2);
  CHECK(first_line(slurp(err)) == run + ": error: another process (" + std::to_string(pid) +
                                      ") trains in this directory; wait for it, or start a new run");
  kill(pid, SIGTERM);
  CHECK(finish(pid) == 143);
  CHECK(run_seqgrad(dir, tiny("--run-dir " + run)).code == 2);
}

TEST_CASE("a file that may not grow ends training with exit code 3 and the older checkpoint whole") {
  const Scratch dir;
  REQUIRE(run_seqgrad(dir, tiny("--run-dir " + (dir / "whole"))).code == 0);
  const auto expected = outcome(dir / "whole");
  const auto optim = fs::file_size(dir / "whole/checkpoints/last/optim.safetensors"),
             model = fs::file_size(dir / "whole/checkpoints/last/model.safetensors");
  for (const uintmax_t limit : {optim - 1, optim / 2, model - 1, uintmax_t{4096}, uintmax_t{0}}) {
    CAPTURE(limit);
    const std::string run = dir / "run";
    REQUIRE(run_seqgrad(dir, tiny("--max-steps 10 --run-dir " + run)).code == 0);
    const pid_t pid = start(dir, "train --resume " + run, [&] {
      const rlimit files{limit, limit};
      setrlimit(RLIMIT_FSIZE, &files);
    });
    const int code = finish(pid);
    if (limit > 0) {  // else there is nothing to write the message to
      const std::string err = slurp(dir / "err");
      CAPTURE(err);
      CHECK(has(err, "error: " + run + "/"));
      CHECK(has(err, "(File too large)"));
      CHECK_FALSE(has(err, "terminate"));
    }
    CHECK(code == 3);
    CHECK(fs::read_symlink(run + "/checkpoints/last") == "step-000010");
    check_published(run);
    for (const auto& [name, text] : outcome(run)) {
      CAPTURE(name);
      CHECK_FALSE(has(name, ".tmp-"));
    }
    CHECK(run_seqgrad(dir, "train --resume " + run).code == 0);
    CAPTURE(difference(expected, outcome(run)));
    CHECK((outcome(run) == expected));
    fs::remove_all(run);
  }
}

TEST_CASE("translate answers or refuses whatever stands in its input", "[timing]") {
  const Scratch dir;
  const std::string run = dir / "run";
  REQUIRE(run_seqgrad(dir, tiny("--max-steps 2 --run-dir " + run)).code == 0);
  const std::string command = "translate --checkpoint last " + run;
  const auto lines = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
  const auto translate = [&](const std::string& input) {
    const auto begin = Clock::now();
    const Result r = run_seqgrad(dir, command, input);
    CHECK_SECONDS(seconds_since(begin), 10);
    CHECK((r.code == 0 || r.code == 2));
    CHECK(first_line(r.err).size() <= 400);
    return r;
  };
  CHECK(translate("").out.empty());
  CHECK(translate("\n").out == "\n");
  CHECK(translate("\n\n1 2").out.substr(0, 2) == "\n\n");
  CHECK(lines(translate("1 2").out) == 1);
  CHECK(translate("1 2").out == translate("1 2\r\n").out);
  const Result unknown = translate("1 2\n3 4x <s> </s> <pad> <unk> 4x\n");
  CHECK(unknown.code == 0);
  CHECK(lines(unknown.out) == 2);
  CHECK(has(unknown.err, "line 2: '4x' is not in the vocabulary; the nearest known: 4"));
  CHECK(has(unknown.err, "line 2: '<s>' is not in the vocabulary\n"));
  CHECK(lines(unknown.err) == 5);
  std::string words;
  for (int i = 0; i < 1500; ++i) words += "w" + std::to_string(i) + " ";
  CHECK(has(translate(words).err, "line 1: and 1490 more\n"));
  const auto repeated = [](const std::string& unit, size_t bytes) {
    std::string out;
    while (out.size() < bytes) out += unit;
    return out;
  };
  const Result many = translate("5\n" + repeated("1 ", 20000) + "\n7\n");
  CHECK(many.code == 2);
  CHECK(lines(many.out) == 1);
  CHECK(has(many.err, "error: line 2: 10000 tokens; at most 2000 are translated"));
  CHECK(has(translate("1\n" + std::string((1 << 20) + 1, '1')).err, "error: line 2: more than the 1048576 bytes"));
  for (const char* unit : {"1", ".", "\xc3\xa4", "! ", "A", "\t"}) {
    CAPTURE(unit);
    translate(repeated(unit, (1 << 20) - 2));
  }
  const Result invalid = translate("1\n2 \xff\xfe 3\n");
  CHECK(invalid.code == 2);
  CHECK(has(invalid.err, "error: line 2: byte 3 is not UTF-8"));
  CHECK(lines(translate(std::string("1 \0 2\x1b[31m\n", 10)).out) == 1);

  const auto shell = [&](const std::string& line) {
    return WEXITSTATUS(std::system(("bash -c '" + line + "' 2> " + (dir / "err")).c_str()));
  };
  const std::string program = SEQGRAD_BINARY " " + command;
  dir.write("many", repeated("1 2 3\n", 3000));
  CHECK(shell(program + " < " + (dir / "many") + " | head -n 1 > /dev/null; exit ${PIPESTATUS[0]}") == 0);
  CHECK(slurp(dir / "err").empty());
  CHECK(shell("trap \"\" PIPE; " + program + " < " + (dir / "many") + " | true; exit ${PIPESTATUS[0]}") == 0);
  CHECK(slurp(dir / "err").empty());
  CHECK(shell(program + " < " + (dir / "many") + " > /dev/full") == 3);
  CHECK(slurp(dir / "err") == "error: standard output: cannot write (No space left on device)\n");
  CHECK(shell(program + " < /") == 3);
  CHECK(slurp(dir / "err") == "error: standard input: cannot read (Is a directory)\n");
  CHECK(shell(program + " <&-") == 3);
  CHECK(slurp(dir / "err") == "error: standard input: cannot read (it is closed)\n");
  CHECK(shell(program + " <&- >&- 2>&-") == 3);
  for (const char* nowhere : {"> /dev/full", ">&-", ">&- 2>&-"})
    for (const std::string& asked :
         {program + " < " + (dir / "many"), std::string(SEQGRAD_BINARY " --help"),
          std::string(SEQGRAD_BINARY " --version"), std::string(SEQGRAD_BINARY " info"),
          std::string(SEQGRAD_BINARY " config --schema"),
          std::string(SEQGRAD_BINARY " data " SEQGRAD_SOURCE_DIR "/configs/copy.yaml -q"),
          std::string(SEQGRAD_BINARY " check " SEQGRAD_SOURCE_DIR "/tests/cases/tensorflow/g02"),
          std::string(SEQGRAD_BINARY " loss " SEQGRAD_SOURCE_DIR "/tests/cases/tensorflow/g02")}) {
      CAPTURE(nowhere, asked);
      CHECK(shell(asked + " " + nowhere) == 3);
    }
  CHECK(shell(program + " < " + (dir / "many") + " >&-") == 3);
  CHECK(slurp(dir / "err") == "error: standard output: cannot write (it is closed)\n");
  CHECK(shell(SEQGRAD_BINARY
              " data " SEQGRAD_SOURCE_DIR
              "/configs/copy.yaml --all 2> /dev/full | head -n 1 > /dev/null; exit ${PIPESTATUS[0]}") == 0);
}

TEST_CASE("a refused run leaves no new file and changes none") {
  const Scratch dir;
  const std::string run = dir / "run", small = tiny("--max-steps 4 --run-dir " + run);
  REQUIRE(run_seqgrad(dir, small).code == 0);
  const auto refused = [&](const std::string& arguments, const std::string& why) {
    run_seqgrad(dir, "--version");  // the files of this test's own are there
    dir.write("stdin", ""), dir.write("out", ""), dir.write("err", "");
    const auto before = snapshot(dir.path);
    const Result r = run_seqgrad(dir, arguments);
    CAPTURE(arguments, r.err);
    // That the config was changed, where it was, is told before what comes of it.
    const bool config = r.err.starts_with("warning: content of config.resolved.yaml: ");
    const std::string said = first_line(config ? r.err.substr(r.err.find('\n') + 1) : r.err);
    CHECK(r.code == 2);
    CHECK(has(said, why));
    CHECK(has(said, "error: "));
    CHECK(said.size() <= 400);
    dir.write("out", ""), dir.write("err", "");
    CAPTURE(difference(before, snapshot(dir.path)));
    CHECK((snapshot(dir.path) == before));
  };
  const std::string fresh = dir / "fresh";
  refused(tiny("--run-dir " + run), run + ": error: is not empty");
  refused(tiny("--run-dir " + run + "/config.yaml"), "config.yaml: error: is a file");
  refused(tiny("--set optim.lr=-1 --run-dir " + fresh), "optim.lr");
  refused(tiny("--set loss.weights.class.file=" + (dir / "nowhere") + " --run-dir " + fresh), "nowhere");
  refused(tiny("--set data.sizes.train=0 --set data.task=null --run-dir " + fresh), "data.task");
  refused("train " + (dir / "nowhere.yaml") + " --run-dir " + fresh, "nowhere.yaml: cannot be read");
  refused("train " + run + " --run-dir " + fresh, "(Is a directory)");
  refused("train --resume " + fresh, "no such run directory");
  refused("train --resume " + std::string(5000, 'x'), "no such run directory");
  refused("translate " + fresh, "no such run directory");
  refused("evaluate " + run + " --checkpoint step-000009", "the run has no checkpoint 'step-000009' yet");

  // Damaged checkpoints: the file, the tensor and the reason, whichever command meets them.
  const std::string last = run + "/checkpoints/last/", weights = last + "model.safetensors";
  const auto damaged = [&](const std::string& file, const std::function<void(std::string&)>& damage,
                           const std::string& why, bool weights_only = false) {
    const std::string good = slurp(file);
    std::string bad = good;
    damage(bad);
    std::ofstream(file, std::ios::binary) << bad;
    if (!weights_only) refused("train --resume " + run, why);
    if (file == weights) refused("translate --checkpoint last " + run, why);
    std::ofstream(file, std::ios::binary) << good;
  };
  damaged(
      weights, [](std::string& s) { s[s.size() - 9] ^= 4; }, "': the data differ from their checksum");
  damaged(
      weights, [](std::string& s) { s.resize(s.size() - 1); }, "are outside the file's");
  damaged(
      weights, [](std::string& s) { s += "x"; }, "1 bytes follow the last tensor");
  damaged(
      weights, [](std::string& s) { s.clear(); }, "got an empty file");
  damaged(
      weights, [](std::string& s) { s[7] = 1; }, "the header claims");
  damaged(
      last + "optim.safetensors", [](std::string& s) { s[s.size() - 9] ^= 4; }, "tensor 'v.");
  damaged(
      last + "state.json", [](std::string& s) { s.resize(s.size() / 2); }, "not the state of a checkpoint");
  damaged(
      last + "state.json", [](std::string& s) { s.replace(s.find("\"step\": 4"), 9, "\"step\": 5"); },
      "state.json: error: the content differs from its checksum");
  damaged(
      last + "state.json", [](std::string& s) { s.replace(s.find("\"version\": 2"), 12, "\"version\": 3"); },
      "written by a newer version (3); this one reads up to 2");
  damaged(
      run + "/source.vocab", [](std::string& s) { s.insert(s.rfind('\n', s.size() - 2) + 1, "9"); },
      "source.vocab: error: 54 entries, content ");
  damaged(
      run + "/run.json", [](std::string& s) { s = "{}"; }, "does not describe the source vocabulary");
  damaged(
      run + "/config.resolved.yaml", [](std::string& s) { s.replace(s.find("embedding: 4"), 12, "embedding: 5"); },
      "has shape [");
  CHECK(run_seqgrad(dir, "train --max-steps 5 --resume " + run).code == 0);
}

// The command, with programs that are right, wrong, or no programs.
#include <test_paths.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/conform/program.h"
#include "tests/fuzz/markup_problem.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"
#include "tests/support/terminal.h"

using namespace seqgrad;

namespace {

const std::string reference = SEQGRAD_CONFORM_REFERENCE;

Result conform(const Scratch& dir, const std::string& arguments) { return run_seqgrad(dir, "conform " + arguments); }

// A program that says hello as the reference does and then goes its own way, in sh.
std::string after_hello(const Scratch& dir, const std::string& then, const std::string& more = "") {
  const std::string request = "head -c $(od -An -tu8 -N8 | tr -d ' ') >/dev/null";
  return dir.write(
      "program.sh",
      "cd '" + dir.path.string() + "'\n" + request +
          "\ncat <<'END' | head -c -1 >hello.json\n"
          R"({"__metadata__":{"protocol":"1","name":"sh","takes":"logits targets mask","gradients":"d_logits")" +
          more + "}}" +
          "\nEND\n"
          "frame() { n=$(wc -c <$1); printf \"\\\\$(printf %03o $((n + 8)))\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\"; "
          "printf \"\\\\$(printf %03o $n)\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\\\\0\"; cat $1; }\n"
          "frame hello.json\n" +
          request + "\n" + then);
}

}  // namespace

TEST_CASE("the reference is a mean over tokens, with and without a meaning") {
  const Scratch dir;
  const Result r = conform(dir, "--seed 7 -- " + reference);
  CHECK(r.code == 0);
  CHECK(has(r.out, "reference (C++, float64): takes logits targets mask; 40 batches up to B=6 T=8 V=10, seed 7\n"));
  CHECK(has(r.out, "  it is Σ ωℓ / Σ m, active tokens = token_mean = "));
  const Result meant = conform(dir, "--seed 7 --means token_mean -- " + reference);
  CHECK(meant.code == 0);
  CHECK(has(meant.out, "it is token_mean: "));
  CHECK(has(meant.out, "0 findings; 0 properties broken"));
  CHECK(conform(dir, "--seed 7 --means token_mean -- " + reference).out == meant.out);
}

TEST_CASE("another meaning is told, with the smallest batch, its finding and what mends it; files are written") {
  const Scratch dir;
  const Result r = conform(dir, "--seed 3 --means mlx.mean --junit " + dir / "j.xml" + " --html " +
                                    (dir / "page.html") + " --save " + (dir / "cases") + " -- " + reference);
  CAPTURE(r.out, r.err);
  CHECK(r.code == 1);
  CHECK(has(r.out, "not mlx.mean: "));
  CHECK(has(r.out, "divisor:active"));
  CHECK(has(r.out, "smallest   B=1 "));
  CHECK(has(r.out, "again      --seed 3 --only value,gradient"));
  CHECK(markup_problem(slurp(dir / "page.html")).empty());
  CHECK(markup_problem(slurp(dir / "j.xml")).empty());
  CHECK(has(slurp(dir / "j.xml"), "<failure type=\"divisor:active\""));
  const Result check = run_seqgrad(dir, "check " + dir / "cases/value");
  CAPTURE(check.out, check.err);
  CHECK(check.code == 1);
  CHECK(has(check.out, "token_mean"));
  CHECK(has(run_seqgrad(dir, "check " + dir / "cases").out, "3 cases: 0 as expected, 3 not"));
  for (const char* command : {"explain", "gradcheck", "loss"})
    CHECK(run_seqgrad(dir, command + std::string(" ") + (dir / "cases/value")).code == 0);
}

TEST_CASE("what cannot be written is refused before the run; a folder of older cases is told") {
  const Scratch dir;
  const std::string file = dir.write("file", "");
  for (const std::string option : {"--html", "--junit", "--save"}) {
    const Result r = conform(dir, option + " " + file + "/below -- " + reference);
    CAPTURE(option, r.err);
    CHECK(r.code == 2);
    CHECK(r.out.empty());
  }
  const std::string save = "--seed 3 --means mlx.mean --save " + (dir / "cases") + " -- " + reference;
  CHECK_FALSE(has(conform(dir, save).err, "already"));
  CHECK(has(conform(dir, save).err, "already; cases of the same name are replaced"));
}

TEST_CASE("JSON names findings, properties and the smallest batch") {
  const Scratch dir;
  const Result r = conform(dir, "--seed 3 --json --means mlx.mean -- " + reference);
  CHECK(r.code == 1);
  const auto json = nlohmann::json::parse(r.out);
  CHECK(json["exit"] == 1);
  CHECK(json["findings"][0]["id"] == "divisor:active");
  CHECK(json["properties"].size() == 15);
  CHECK(json["answers"]["shapes"] > 6);
  CHECK(json["answers"]["shapes"] < json["rounds"]);
  CHECK(json["answers"]["first"].get<double>() + json["answers"]["others"].get<double>() <= json["seconds"]);
  CHECK(json["unknown_keys"].empty());
  const auto& batch = json["smallest"]["batch"];
  CHECK(batch["B"].get<int>() * batch["T"].get<int>() <= 6);
  CHECK(batch["V"].get<int>() <= 3);
  CHECK(json["smallest"]["got"] != json["smallest"]["want"]);
}

TEST_CASE("programs that are none, before their hello: exit 2, in words") {
  const Scratch dir;
  const auto check = [&](const std::string& arguments, const std::string& words) {
    const Result r = conform(dir, arguments);
    CAPTURE(arguments, r.err);
    CHECK(r.code == 2);
    CHECK(has(r.err, words));
    CHECK(r.out.empty());
  };
  check("-- /no/such/program", "/no/such/program: cannot be started");
  check("-- true", "before its hello the program ended with exit code 0");
  check("-- sh -c 'echo broken >&2; exit 4'", "ended with exit code 4; its last lines on standard error:\n  broken");
  check("-- sh -c 'echo Loading the model'", "text instead of a frame: 'Loading the model");
  check("--time 0.05 -- sleep 60", "before its hello the program gave no answer in 0.3 seconds");
  check("-- cat", "hello: takes ''");
  check("", "give a program after --, or --stdio");
  check("--means no.such -- true", "unknown preset 'no.such'");
  check("--means " + dir.write("none.yaml", "") + " -- true", "it says no loss; expected a section");
  check("--means " + dir.write("null.yaml", "loss:\n") + " -- true", "it says no loss; expected a section");
  check("--means " + dir.path.string() + "/gone -- true", "gone");
  check("--means 'tfa.sequence_loss[sum_over_timestep]' -- true", "did you mean 'sum_over_timesteps'?");
  check("--only valeu -- true", "--only: no property 'valeu'");
  check("--sizes 3 -- true", "--sizes: expected B,T,V");
}

TEST_CASE("programs that fail after their hello: exit 3, with the batch") {
  const Scratch dir;
  const auto check = [&](const std::string& then, const std::string& words) {
    const std::string script = after_hello(dir, then);
    const auto begin = std::chrono::steady_clock::now();
    const Result r = conform(dir, "--time 0.5 --seed 1 -- sh " + script);
    CAPTURE(then, r.out, r.err);
    CHECK(r.code == 3);
    CHECK(has(r.out, words));
    CHECK(has(r.out, "batch      B="));
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
  };
  check("echo 'no memory' >&2; exit 9",
        "the program ended with exit code 9; its last lines on standard error:\n  no memory");
  check("kill -9 $$", "was killed by signal 9");
  check("sleep 60", "gave no answer in 0.5 seconds");
  check("exec yes", "text instead of a frame");
  check("echo 'step 1'; sleep 60", "which begin with the text 'step 1\\n'");
  check("frame hello.json; sleep 60",
        "the program's answer to round 1 cannot be read: its round is ''; round 1 was asked");
  check("head -c 5000 /dev/zero; sleep 60", "the program sent a frame and ");
  check("printf '\\377\\377\\377\\177\\377\\377\\377\\377'; sleep 60", "at most 1073741824 are read");
  check("exec <&- >&-; sleep 60", "closed its pipe and runs on");
  check("printf '{\"__metadata__\":{\"round\":\"1\"}}' >a; frame a; sleep 60",
        "the program's answer to round 1 cannot be read: it has no tensor 'value'");
}

TEST_CASE("a program that refuses every batch is told in its words: exit 1; so is a key that is none") {
  const Scratch dir;
  const std::string script =
      after_hello(dir,
                  "for i in 1 2 3 4 5 6; do printf '{\"__metadata__\":{\"round\":\"%d\",\"error\":\"no GPU here\"}}' "
                  "$i >a; frame a; "
                  "head -c $(od -An -tu8 -N8 | tr -d ' ') >/dev/null; done",
                  ",\"shift\":\"1\"");
  const Result r = conform(dir, "--seed 1 -- sh " + script);
  CAPTURE(r.out, r.err);
  CHECK(r.code == 1);
  CHECK(has(r.out, "no GPU here"));
  CHECK(has(r.out, "  hello      'shift' is no key of a hello and changes nothing; did you mean 'shifts'?\n"));
}

TEST_CASE("a hello with a list where words belong is told how to write them") {
  const auto refused = [](const std::string& key, const std::string& value) {
    Metadata m{{"protocol", "1"}, {"takes", "logits targets mask"}};
    m[key] = value;
    return error_of([&] { read_hello(m); });
  };
  CHECK(has(refused("takes", "['logits', 'targets', 'mask']"),
            "takes is '['logits', 'targets', 'mask']'; expected names"));
  CHECK(has(refused("dtypes", "F64,F32"), "dtypes is 'F64,F32'; expected names with blanks between them"));
  CHECK(has(refused("gradients", "d_mask"), "gradients has 'd_mask'; expected d_logits"));
}

TEST_CASE("on a terminal a line says what is waited for, and is gone before the report") {
  const std::string arguments = "conform --seed 3 --batches 5 -- " + reference;
  const std::string seen = on_terminal(arguments, 100, "TERM=xterm");
  CHECK(has(seen, "waits for the program's hello, 0 s so far"));
  CHECK(has(seen, "waits for round 5: value"));
  const size_t last = seen.rfind("waits for"), report = seen.find("reference (C++");
  REQUIRE(report != std::string::npos);
  CHECK(last < report);
  CHECK(seen.substr(last, report - last).ends_with("\r\x1b[K"));
  CHECK_FALSE(has(on_terminal(arguments, 100, "TERM=dumb"), "waits for"));
  CHECK_FALSE(has(on_terminal("conform -v" + arguments.substr(7), 100, "TERM=xterm"), "waits for"));
}

TEST_CASE("a parent that starts seqgrad speaks the same protocol on its standard input and output") {
  const Scratch dir;
  const std::string script =
      dir.write("parent.sh", "cd '" + dir.path.string() + "'; mkfifo in out; " + SEQGRAD_BINARY +
                                 " conform --stdio --seed 3 --means mlx.mean <in >out 2>err & p=$!; " + reference +
                                 " >in <out; wait $p; echo $? >code");
  CHECK(std::system(("sh " + script).c_str()) == 0);
  CHECK(slurp(dir / "code") == "1\n");
  CHECK(slurp(dir / "err").empty());
  const std::string gone = dir.write("gone.sh", std::string("printf '' | ") + SEQGRAD_BINARY + " conform --stdio 2>'" +
                                                    dir / "err" + "' | cat >/dev/null; true");
  CHECK(std::system(("sh " + gone).c_str()) == 0);
  CHECK(has(slurp(dir / "err"), "the parent closed its pipe"));
}

TEST_CASE("a signal to seqgrad ends the program too") {
  const Scratch dir;
  const std::string script = dir.write(
      "signal.sh",
      "cd '" + dir.path.string() + "'; " + SEQGRAD_BINARY +
          " conform -- sh -c 'sleep 60 & echo $! >pid; wait' 2>err & p=$!; while [ ! -s pid ]; do sleep 0.02; done; "
          "kill -TERM $p; wait $p; echo $? >code");
  CHECK(std::system(("sh " + script).c_str()) == 0);
  CHECK(slurp(dir / "code") == "143\n");
  CHECK(has(slurp(dir / "err"), "stopped by a signal; there is no report"));
  const std::string stat = "/proc/" + first_line(slurp(dir / "pid")) + "/stat";
  std::string state = slurp(stat);  // of an orphan until it is dead, then of a zombie, or none
  for (int i = 0; i < 500 && !state.empty() && !has(state, ") Z"); ++i, state = slurp(stat))
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK((state.empty() || has(state, ") Z")));
}

TEST_CASE("batches are counted, properties left out, notes made strict, rounds printed") {
  const Scratch dir;
  const Result r = conform(dir, "--seed 3 --batches 5 --skip dtype,extremes --strict --verbose -- " + reference);
  CHECK(r.code == 0);
  CHECK(has(r.out, "; 5 batches up to B="));
  CHECK(has(r.out, ", 4 not tried\n"));
  CHECK(has(r.err, "round 1 value [B="));
  CHECK(has(r.out, "in which functions are compiled"));
  CHECK(has(conform(dir, "--skip nothing -- true").err, "--skip: no property 'nothing'"));
}

// Programs that do what no program should, as shell scripts: the connection ends, says why, and leaves no process.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "engine/conform/connection.h"
#include "engine/conform/frame.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

const std::string question = encode_frame({{"round", "1"}}, {});

struct Ended {
  std::string fault, message;
  double seconds = 0;
};

// What comes of one question to `script`, which finds a folder of its own in $HERE.
Ended ask(const std::string& script, double seconds = 5, const std::string& frame = question) {
  const Scratch dir;
  const auto begin = std::chrono::steady_clock::now();
  Ended out;
  try {
    Connection connection({"/bin/sh", "-c", "HERE='" + dir.path.string() + "'; " + script});
    out.message = "answer of " + std::to_string(connection.exchange(frame, seconds).size());
  } catch (const ProgramFault& e) {
    out.fault = name_of(e.fault);
    out.message = e.what();
  }
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const std::string pids = slurp(dir / "pids");  // of whatever the script started
  for (size_t at = 0; at < pids.size();) {
    const size_t end = std::min(pids.find('\n', at), pids.size());
    const pid_t pid = std::stoi(pids.substr(at, end - at));
    for (int i = 0; i < 200 && kill(pid, 0) == 0; ++i) {  // a killed orphan is init's to wait for
      const std::string state = slurp("/proc/" + std::to_string(pid) + "/stat");
      if (state.find(") Z") != std::string::npos) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      CHECK(i < 199);
    }
    at = end + 1;
  }
  return out;
}

}  // namespace

TEST_CASE("a program that answers is understood: cat sends the question back") {
  const Ended e = ask("exec cat");
  CHECK(e.fault.empty());
  CHECK(e.message == "answer of " + std::to_string(question.size() - frame_prefix));
}

TEST_CASE("a large frame goes through while the program writes to both of its outputs") {
  const std::vector<double> x(1 << 20, 0.5);
  const std::vector<WireTensor> large{wire_floats("x", {1 << 20}, x, FloatType::f64)};
  const std::string frame = encode_frame({}, large);
  const Ended e = ask("yes noise | head -c 300000 >&2; exec cat", 20, frame);
  CHECK(e.message == "answer of " + std::to_string(frame.size() - frame_prefix));
}

TEST_CASE("programs that crash, hang, are silent, flood, print or close are told apart, and leave nothing behind") {
  const auto check = [](const std::string& script, const std::string& fault, const std::string& words) {
    const Ended e = ask(script, 0.5);
    CAPTURE(script, e.message);
    CHECK(e.fault == fault);
    CHECK(has(e.message, words));
    CHECK(e.seconds < 4);
  };
  check("echo 'it broke' >&2; exit 7", "crashed",
        "ended with exit code 7; its last lines on standard error:\n  it broke");
  check("kill -SEGV $$", "crashed", "was killed by signal 11");
  check("sleep 60 & echo $! >$HERE/pids; echo $$ >>$HERE/pids; wait", "hung",
        "gave no answer in 0.5 seconds (--time gives it more)");
  check("(sleep 60 & echo $! >$HERE/pids); exit 3", "crashed", "ended with exit code 3");
  check("trap '' TERM INT HUP; echo $$ >$HERE/pids; while :; do sleep 60; done", "hung", "gave no answer");
  check("exec yes", "garbage", "text instead of a frame: 'y\\ny\\n");
  check("echo 'Loading the model'; exec cat", "garbage", "text instead of a frame: 'Loading the model\\n");
  check("head -c 100000 /dev/zero; sleep 60", "garbage", "sent a frame and ");
  check("printf '\\377\\377\\377\\377\\377\\377\\377\\377'; sleep 60", "garbage", "at most 1073741824 are read");
  check("printf '\\144\\0\\0\\0\\0\\0\\0\\0{'; sleep 60", "hung", "sent 9 bytes of a frame and no more");
  check("printf 'ok\\n\\020\\0\\0\\0\\0'; sleep 60", "hung", "which begin with the text 'ok\\n'");
  check("printf 'abc'", "garbage", "sent 'abc' and closed its pipe");
  check("exec <&- >&-; sleep 60", "closed", "closed its pipe and runs on");
  check("exec 2>&-; sleep 60", "hung", "gave no answer");
  check("i=0; while [ $i -lt 3000 ]; do echo \"line $i\" >&2; i=$((i+1)); done; exit 1", "crashed", "\n  line 2992\n");
}

TEST_CASE("a program that is not there is refused, whatever way") {
  CHECK(error_of([] { Connection c({"/no/such/program"}); }) ==
        "2 /no/such/program: cannot be started (No such file or directory)");
  CHECK(has(error_of([] { Connection c({"/"}); }), "cannot be started (Permission denied)"));
}

TEST_CASE("a program ends after the goodbye, and one that does not is ended") {
  const auto begin = std::chrono::steady_clock::now();
  {
    Connection c({"cat"});
    c.exchange(question, 5);
    c.say_goodbye(question);
  }
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(900));
  Connection deaf({"/bin/sh", "-c", "sleep 60"});
  deaf.say_goodbye(question);
}

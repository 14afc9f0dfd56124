// Files under failing system calls, directories, the metric log, signals.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "engine/core/thread_pool.h"
#include "engine/device/gemm.h"
#include "engine/io/directories.h"
#include "engine/io/files.h"
#include "engine/io/lines.h"
#include "engine/io/metric_log.h"
#include "engine/io/output.h"
#include "engine/io/signals.h"
#include "tests/support/catch.h"
#include "tests/support/child.h"
#include "tests/support/faults.h"
#include "tests/support/process.h"
#include "tests/support/scratch.h"
#include "tests/support/timing.h"

using namespace seqgrad;
namespace fs = std::filesystem;

namespace {

std::set<std::string> listing(const std::string& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.insert(entry.path().filename());
  return names;
}

int open_files() { return static_cast<int>(std::distance(fs::directory_iterator("/proc/self/fd"), {})); }

}  // namespace

TEST_CASE("write_output survives the failure of each of its system calls in turn") {
  const Scratch dir;
  const std::string path = dir / "file", older = "older", newer(100000, 'n');
  const std::string_view pieces[] = {"a", newer, "z"};
  const std::string whole = "a" + newer + "z";
  std::set<std::string> seen;
  for (int n = 1; n < 20; ++n) {
    dir.write("file", older);
    const int files = open_files();
    std::string message;
    {
      const Faults faults(n, Faults::error);
      message = error_of([&] { write_output(path, pieces); });
    }
    CAPTURE(n, Faults::failed, message);
    CHECK(open_files() == files);
    CHECK(listing(dir.path) == std::set<std::string>{"file"});
    if (Faults::calls < n) {  // the call before was the last one
      CHECK(message.empty());
      CHECK(slurp(path) == whole);
      CHECK(n == 8);
      break;
    }
    const std::string call = Faults::failed;
    const bool directory = n == 7;
    seen.insert(call);
    CHECK(message.substr(0, 2) == "3 ");
    CHECK(has(message, directory ? dir.path.string() : path));
    CHECK(has(message, call == "write" ? "(No space left on device)" : "(Input/output error)"));
    CHECK(slurp(path) == (directory ? whole : older));
  }
  CHECK(seen == std::set<std::string>{"write", "fsync", "close", "rename"});
}

TEST_CASE("short and interrupted writes go on, a write of nothing is a full disk") {
  const Scratch dir;
  const std::string path = dir / "file", text(70000, 'x');
  for (const auto kind : {Faults::short_write, Faults::interrupted}) {
    {
      const Faults faults(1, kind);
      write_output(path, text);
    }
    CHECK(slurp(path) == text);
    fs::remove(path);
  }
  const Faults faults(1, Faults::zero_write);
  CHECK(has(error_of([&] { write_output(path, text); }), "cannot write (No space left on device)"));
  CHECK(listing(dir.path).empty());
}

TEST_CASE("a file that cannot be created is named") {
  const Scratch dir;
  dir.write("file", "");
  CHECK(error_of([&] { write_output(dir / "file/x", ""); }) ==
        "3 " + (dir / "file/x") + ": cannot create (Not a directory)");
  CHECK(has(error_of([&] { make_directories(dir / "file/x"); }), "3 " + (dir / "file/x") + ": cannot create ("));
  CHECK(has(error_of([&] { append_line("/dev/full", "x"); }), "3 /dev/full: cannot write (No space left on device)"));
  CHECK(has(error_of([&] { write_output(dir / std::string(300, 'n'), ""); }), "(File name too long)"));
  CHECK(error_of([&] { write_output(dir / ("a\n" + std::string(5000, 'n')), ""); }).size() < 400);
}

TEST_CASE("an appended line is there whole or not at all") {
  const Scratch dir;
  const std::string path = dir / "log";
  append_line(path, "one");
  append_line(path, "two");
  CHECK(slurp(path) == "one\ntwo\n");
  struct HalfThenFull {  // half of the line fits on the disk
    static ssize_t write(int fd, const void* from, size_t n) {
      if (n < 10) {
        errno = ENOSPC;
        return -1;
      }
      return ::write(fd, from, n / 2);
    }
  };
  const SystemCalls real = system_calls;
  system_calls.write = HalfThenFull::write;
  const std::string message = error_of([&] { append_line(path, std::string(100, 'x')); });
  system_calls = real;
  CHECK(message == "3 " + path + ": cannot write (No space left on device)");
  CHECK(slurp(path) == "one\ntwo\n");
}

TEST_CASE("reading: what a person can mend is refused, what the system fails in is its failure") {
  const Scratch dir;
  const std::string path = dir.write("file", "0123456789");
  CHECK(read_file(path, 10) == "0123456789");
  CHECK(read_file(dir.write("none", ""), 0).empty());
  CHECK(error_of([&] { read_file(path, 9); }) ==
        "2 " + path + ": error: more than the 9 bytes that are read of such a file");
  CHECK(error_of([&] { read_file(dir / "nowhere", 9); }) ==
        "2 " + (dir / "nowhere") + ": error: cannot be read (No such file or directory)");
  CHECK(has(error_of([&] { read_file(dir.path, 9); }), "2 " + dir.path.string() + ": error: cannot be read (Is a dir"));
  CHECK(has(error_of([&] { read_file("/dev/zero", 9); }), "2 /dev/zero: error: cannot be read"));
  CHECK(read_file("/dev/null", 9).empty());
  {
    const Faults faults(1, Faults::error);
    CHECK(error_of([&] { read_file(path, 10); }) == "3 " + path + ": cannot read (Input/output error)");
  }
  {
    const Faults faults(1, Faults::interrupted);
    CHECK(read_file(path, 10) == "0123456789");
  }
  {
    const Faults faults(1, Faults::error);
    CHECK(error_of([&] { read_lines(path); }).substr(0, 2) == "3 ");
  }
  const std::string packed = dir.write("packed", std::string("\x1f\x8b\x08\0\0\0\0\0", 8));
  CHECK(error_of([&] { read_lines(packed); }) ==
        "2 " + packed + ": error: expected lines of text, got compressed by gzip; unpack it first (gunzip)");
  for (const std::string& text : {std::string("\xff\xfe"
                                              "a\0\n\0",
                                              6),
                                  std::string("\xfe\xff"
                                              "\0a\0\n",
                                              6)})
    CHECK(has(error_of([&] { read_lines(dir.write("utf16", text)); }), "got text in UTF-16; write it in UTF-8"));
  CHECK(
      has(error_of([&] { read_lines(dir.write("lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:1\n")); }),
          "got a Git LFS pointer"));
  for (const char* text :
       {"GGUF is a format\n", "BZh\n", "%PDF-1.4\n", "PK\n", "<html>\n", "{}\n", ""})  // lines all the same
    CHECK(error_of([&] { read_lines(dir.write("lines", text)); }).empty());
  REQUIRE(mkfifo((dir / "pipe").c_str(), 0600) == 0);
  const int wrote = in_child([&] {
    if (fork() == 0) {
      std::ofstream(dir / "pipe") << std::string(200000, 'p');
      _exit(0);
    }
    return static_cast<int>(read_file(dir / "pipe", 200000).size() == 200000);
  });
  CHECK(wrote == 1);
}

namespace {

// Whether file systems exchange two names in one step, until the end of a scope.
struct Exchange {
  decltype(exchange_names) real = exchange_names;
  explicit Exchange(bool possible) {
    if (!possible)
      exchange_names = [](const char*, const char*) {
        errno = EINVAL;
        return -1;
      };
  }
  ~Exchange() { exchange_names = real; }
};

}  // namespace

TEST_CASE("directories and links are replaced under every failure") {
  const bool possible = GENERATE(true, false);
  const Scratch dir;
  const std::string path = dir / "step", link = dir / "last";
  const auto build = [&](const std::string& text) {
    const std::string temporary = temporary_directory(path);
    std::ofstream(temporary + "/file") << text;
    return temporary;
  };
  publish_directory(build("1"), path);
  const std::string other = build("0");
  const bool exchanges = possible && exchange_names(other.c_str(), path.c_str()) == 0;
  fs::remove_all(other);
  const Exchange as_said(exchanges);
  publish_directory(build("2"), path);
  CHECK(slurp(path + "/file") == "2");
  CHECK(listing(dir.path) == std::set<std::string>{"step"});
  atomic_symlink("step", link);
  atomic_symlink("step", link);
  CHECK(slurp(link + "/file") == "2");
  for (int n = 1; n < 20; ++n) {
    const std::string temporary = build("3");
    std::string message;
    {
      const Faults faults(n, Faults::error);
      message = error_of([&] { publish_directory(temporary, path); });
      if (message.empty()) message = error_of([&] { atomic_symlink("step", link); });
      if (message.empty()) message = error_of([&] { remove_directory(path); });
    }
    CAPTURE(exchanges, n, Faults::failed, message);
    CHECK((fs::read_symlink(link) == "step"));
    if (Faults::calls < n) {
      CHECK(n == (exchanges ? 6 : 8));
      break;
    }
    CHECK((slurp(path + "/file") == "3" || slurp(path + "/file") == "2"));
    CHECK(message.substr(0, 2) == "3 ");
    CHECK(has(message, "(Input/output error)"));
    publish_directory(build("2"), path);
  }
  CHECK_FALSE(fs::exists(path));
  remove_directory(path);
}

TEST_CASE("a process that is killed while it replaces a directory leaves the older or the newer one, whole") {
  const bool possible = GENERATE(true, false);
  const Exchange as_said(possible);
  for (int kill_at = 1; kill_at < 6; ++kill_at) {
    const Scratch dir;
    const std::string path = dir / "step";
    fs::create_directories(path);
    std::ofstream(path + "/file") << "older";
    const bool killed = in_child([&] {
                          const std::string newer = temporary_directory(path);
                          std::ofstream(newer + "/file") << "newer";
                          static int calls_left = 0;
                          calls_left = kill_at;
                          static const auto count = [] {
                            if (--calls_left == 0) raise(SIGKILL);
                          };
                          system_calls.rename = [](const char* from, const char* to) {
                            count();
                            const int result = std::rename(from, to);
                            count();
                            return result;
                          };
                          system_calls.fsync = [](int) {
                            count();
                            return 0;
                          };
                          publish_directory(newer, path);
                          return 7;
                        }) == 1000 + SIGKILL;
    CAPTURE(possible, kill_at, killed);
    restore_replaced(dir.path);
    const std::string found = slurp(path + "/file");
    CHECK((found == "older" || found == "newer"));
    CHECK((killed || found == "newer"));
    restore_replaced(dir.path);
    CHECK(slurp(path + "/file") == found);
  }
}

TEST_CASE("leftovers of dead processes of this host go, all else stays") {
  const Scratch dir;
  const pid_t child = fork();
  if (child == 0) {  // makes names, and dies
    fs::create_directories(temporary_name(dir / "step") + "/deep");
    std::ofstream(temporary_name(dir / "model")) << "x";
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  REQUIRE(listing(dir.path).size() == 2);
  const std::string of_dead = fs::path(*listing(dir.path).begin()).filename().string().substr(5);  // of "model.tmp-…"
  REQUIRE(temporary_owner("model" + of_dead) == child);
  std::ofstream(temporary_name(dir / "mine")) << "x";
  const std::string host = of_dead.substr(0, 14), random = of_dead.substr(of_dead.size() - 17);
  std::string of_another = of_dead;
  of_another[5] = of_another[5] == '0' ? '1' : '0';
  const std::set<std::string> others = {"another" + of_another,
                                        "alive" + host + "1" + random,
                                        "a" + host,
                                        "b" + host + "x",
                                        "c" + host + "12x",
                                        "d" + host + "-3" + random,
                                        "e.tmp",
                                        "f" + host + "99999999999999" + random,
                                        "g" + of_dead + "0",
                                        "h" + host + std::to_string(child) + "-",
                                        "i.tmp-" + std::to_string(child) + random};
  for (const std::string& name : others) dir.write(name, "x");
  remove_leftovers(dir.path);
  CHECK(listing(dir.path) == others);
  remove_leftovers(dir / "nowhere");
}

TEST_CASE("the metric log is cut to the step that a run resumes from") {
  const Scratch dir;
  const std::string path = dir / "metrics.jsonl";
  MetricLog log(dir.path);
  log.truncate_after(5);
  CHECK_FALSE(fs::exists(path));
  log.append("train", 4, {{"loss", 0.1}, {"perplexity", INFINITY}});
  log.append("dev", 4, {{"loss", NAN}});
  const std::string kept = slurp(path);
  CHECK(kept ==
        "{\"kind\":\"train\",\"step\":4,\"loss\":0.1,\"perplexity\":null}\n{\"kind\":\"dev\",\"step\":4,\"loss\":null}"
        "\n");
  log.append("train", 8, {{"loss", 1e300}});
  const std::string all = slurp(path);
  for (size_t cut = kept.size(); cut <= all.size(); ++cut) {  // killed at any byte of the last line
    dir.write("metrics.jsonl", all.substr(0, cut));
    log.truncate_after(4);
    REQUIRE(slurp(path) == kept);
  }
  for (const std::string& torn : {all.substr(0, all.size() - 1), all}) {
    dir.write("metrics.jsonl", torn);
    log.truncate_after(8);
    CHECK(slurp(path) == all);
  }
  dir.write("metrics.jsonl", kept + "[]\n{\"step\":\"4\"}\n\xff\n{\"step\":1e400}\n" + std::string(100000, '[') + "\n");
  log.truncate_after(4);
  CHECK(slurp(path) == kept);
  log.truncate_after(-1);
  CHECK(slurp(path).empty());
  fs::remove(path);
  fs::create_symlink("/dev/full", path);
  CHECK(error_of([&] { MetricLog(dir.path).append("train", 1, {}); }) ==
        "3 " + path + ": cannot write (No space left on device)");
}

TEST_CASE("the metric log reads its file when it begins and when it is cut, and never for what it appends") {
  const Scratch dir;
  MetricLog log(dir.path);
  log.append("train", 1, {{"loss", 0.5}});
  log.append("dev", 1, {{"bleu", 7}});
  fs::remove(dir / "metrics.jsonl");
  log.append("train", 2, {{"loss", 0.25}, {"lr", 1}});
  REQUIRE(log.rows().size() == 3);
  CHECK(log.rows()[1].values == Metrics{{"bleu", 7}});
  CHECK(slurp(dir / "metrics.csv") == "kind,step,loss,bleu,lr\ntrain,1,0.5,,\ndev,1,,7.0,\ntrain,2,0.25,,1.0\n");
  CHECK(MetricLog(dir.path).rows().size() == 1);
}

TEST_CASE("a metric log of more than a gigabyte is cut and continued") {
  const Scratch dir;
  MetricLog(dir.path).append("train", 1, {{"loss", 0.5}});
  const std::string line = slurp(dir / "metrics.jsonl");
  {  // a hole of 2 GiB takes no room on the disk
    const int fd = open((dir / "metrics.jsonl").c_str(), O_WRONLY);
    REQUIRE(ftruncate(fd, off_t{1} << 31) == 0);
    close(fd);
  }
  MetricLog log(dir.path);
  log.truncate_after(1);
  log.append("train", 2, {{"loss", 0.25}});
  CHECK(fs::file_size(dir / "metrics.jsonl") < 200);
  CHECK(slurp(dir / "metrics.jsonl").starts_with(line));
  CHECK(MetricLog(dir.path).rows().size() == 2);
}

TEST_CASE("what was appended is synced when it is asked for, once") {
  const Scratch dir;
  MetricLog log(dir.path);
  log.append("train", 1, {{"loss", 0.5}});
  log.append("dev", 1, {{"loss", 0.5}});
  static std::set<std::string> synced;
  const SystemCalls real = system_calls;
  system_calls.fsync = [](int fd) {
    synced.insert(fs::read_symlink("/proc/self/fd/" + std::to_string(fd)));
    return 0;
  };
  log.sync();
  const std::set<std::string> first = std::exchange(synced, {});
  log.sync();
  CHECK(synced.empty());
  log.append("train", 2, {{"loss", 0.5}});
  log.sync();
  const std::set<std::string> again = std::exchange(synced, {});
  system_calls.fsync = [](int) {
    errno = EIO;
    return -1;
  };
  log.append("train", 2, {{"loss", 0.5}});
  CHECK(error_of([&] { log.sync(); }) == "3 " + (dir / "metrics.jsonl") + ": cannot sync (Input/output error)");
  system_calls = real;
  const fs::path base = fs::canonical(dir.path);
  CHECK(first.count(base.string()) == 1);
  for (const char* name : {"metrics.jsonl", "metrics.csv", "tb/train", "tb/dev"})
    CHECK(first.count((base / name).string()) == 1);
  for (const char* name : {"metrics.jsonl", "metrics.csv"}) CHECK(again.count((base / name).string()) == 1);
  CHECK(again.count(base.string()) == 0);  // no name is new
  CHECK(std::count_if(first.begin(), first.end(), [](const auto& p) { return has(p, ".tfevents."); }) == 2);
}

TEST_CASE("the table of metrics tells what metrics.jsonl tells, also after a run was killed") {
  const Scratch dir;
  const std::string lines = dir / "metrics.jsonl", table = dir / "metrics.csv";
  const auto write = [&](MetricLog& log, int64_t from, int64_t to) {
    for (int64_t step = from; step <= to; step += 2) {
      log.append("train", step, {{"loss", 1.0 / static_cast<double>(step)}, {"lr", 1e-300}, {"odd, \"name\"", 2}});
      if (step % 4 == 0) log.append("dev", step, {{"loss", step == 8 ? NAN : 0.1}, {"bleu", 12.5}});
    }
  };
  MetricLog log(dir.path);
  write(log, 2, 8);
  const std::string expected =
      "kind,step,loss,lr,\"odd, \"\"name\"\"\",bleu\n"
      "train,2,0.5,1e-300,2.0,\n"
      "train,4,0.25,1e-300,2.0,\n"
      "dev,4,0.1,,,12.5\n"
      "train,6,0.16666666666666666,1e-300,2.0,\n"
      "train,8,0.125,1e-300,2.0,\n"
      "dev,8,,,,12.5\n";
  CHECK(slurp(table) == expected);
  const auto rows = log.rows();
  REQUIRE(rows.size() == 6);
  CHECK(rows[2].kind == "dev");
  CHECK((rows[2].values == Metrics{{"loss", 0.1}, {"bleu", 12.5}}));
  CHECK(std::isnan(rows[5].values[0].second));

  const std::string whole = slurp(lines);
  for (const std::string& rest : {std::string(), expected.substr(0, 40), expected, expected + "train,10,0."})
    for (const size_t cut : {whole.size(), whole.size() - 9, whole.size() / 2}) {
      dir.write("metrics.jsonl", whole.substr(0, cut)), dir.write("metrics.csv", rest);
      MetricLog resumed(dir.path);
      resumed.truncate_after(2);
      write(resumed, 4, 8);
      CHECK(slurp(lines) == whole);
      CHECK(slurp(table) == expected);
    }
  log.truncate_after(-1);
  CHECK(slurp(table).empty());
}

TEST_CASE("the first signal sets the flag, what follows at once is the same wish, a later one leaves") {
  const auto pause = [](int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); };
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    CHECK(in_child([&] {
            std::signal(SIGHUP, SIG_DFL);
            catch_stop_signals();
            if (stop_signal() != 0) return 1;
            raise(number);
            return stop_signal() == number ? 7 : 2;
          }) == 7);
    CHECK(in_child([&] {
            std::signal(SIGHUP, SIG_DFL);
            catch_stop_signals();
            raise(SIGINT);
            for (int i = 0; i < 5; ++i) raise(number), pause(10);
            if (stop_signal() != SIGINT) return 4;
            pause(1050);
            raise(number);
            return 3;
          }) == 128 + number);
  }
  CHECK(in_child([&] {  // a scheduler may ask more than once
          catch_stop_signals();
          raise(SIGUSR1), pause(1050), raise(SIGUSR1);
          const bool asked = stop_signal() == SIGUSR1;
          release_stop_signals();
          raise(SIGUSR1);
          return asked ? 7 : 1;
        }) == 7);
  const auto said = [](const std::function<void()>& f) {
    return in_a_process([&] {
             catch_stop_signals();
             f();
           })
        .err;
  };
  CHECK(said([] {  // at once, whenever it came, and once
          const StopAnswer answer("wait\n");
          raise(SIGINT), raise(SIGTERM);
          std::fputs("after\n", stderr);
        }) == "wait\nafter\n");
  CHECK(said([] {
          raise(SIGINT);
          for (int i = 0; i < 2; ++i) const StopAnswer answer("wait\n");
        }) == "wait\n");
  CHECK(said([] {
          { const StopAnswer answer("wait\n"); }
          raise(SIGINT);
        }).empty());
  CHECK(said([&] {
          say_on_leaving("lost\n");
          raise(SIGINT);
          pause(1050);
          raise(SIGINT);
        }) == "lost\n");
  CHECK(in_child([&] {  // as under nohup
          std::signal(SIGHUP, SIG_IGN);
          catch_stop_signals();
          raise(SIGHUP);
          release_stop_signals();
          raise(SIGHUP);
          return stop_signal() == 0 ? 7 : 1;
        }) == 7);
}

// oneDNN's products keep the stack pointer in buffers on the heap: what the system puts under it at a signal would
// overwrite what lies there.
TEST_CASE("a signal in the midst of a product leaves memory whole") {
  constexpr int64_t m = 16, n = 384, k = 128;
  const std::vector<float> a(m * k, 1), b(k * n, 1);
  std::vector<float> c(m * n);
  const auto multiply = [&] {
    kernels::gemm<float>(Device::cpu, {Matrix{a.data(), m, k}, Matrix{b.data(), k, n}, Matrix{c.data(), m, n}, false});
  };
  for (int trial = 0; trial < 20; ++trial)
    CHECK(in_child([&] {
            for (int i = 0; i < 20; ++i) multiply();
            catch_stop_signals();
            std::thread sender([&, computing = pthread_self()] {
              std::this_thread::sleep_for(std::chrono::microseconds(500 + 37 * trial));
              pthread_kill(computing, SIGTERM);
            });
            for (int more = 20; more > 0; more -= stop_signal() != 0) multiply();
            sender.join();
            return std::count(c.begin(), c.end(), static_cast<float>(k)) == m * n ? 7 : 1;
          }) == 7);
}

TEST_CASE("the pool's workers take no signals") {
  catch_stop_signals();
  set_threads(3);
  std::atomic<int> open{0};
  const std::thread::id caller = std::this_thread::get_id();
  parallel_blocks(300, [&](int64_t) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    if (std::this_thread::get_id() != caller && !sigismember(&mask, SIGTERM)) ++open;
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  });
  set_threads(1);
  release_stop_signals();
  CHECK(open == 0);
}

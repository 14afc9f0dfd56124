// Files that a config names: each that cannot be read is told with its key and place, all at once.
#include <sys/stat.h>
#include <unistd.h>

#include "engine/train/config.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
namespace fs = std::filesystem;

namespace {

std::string reading(const std::string& path, const std::vector<std::string>& set = {}) {
  return error_of([&] {
    Config config;
    config.reads_files = true;
    load(config, path, set);
  });
}

// Whether `f` holds for a user who may not read everything.
template <class F>
bool as_nobody(const F& f) {
  const pid_t pid = fork();
  if (pid == 0) _exit((geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0)) && f() ? 0 : 1);
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("every file of a config that cannot be read is told at its key, in one report") {
  const Scratch dir;
  dir.write("here", "a\n");
  fs::create_directories(dir / "folder");
  const std::string config = dir.write("c.yaml",
                                       "data:\n"
                                       "  train: {src: here, trg: missing.en}\n"
                                       "  dev:\n"
                                       "    src: folder\n"
                                       "    trg: here\n"
                                       "  weights:\n"
                                       "    example: gone\n"
                                       "loss: {weights: {example: true}}\n");
  const std::string said = reading(config, {"model.init.file=" + (dir / "nowhere")}), at = config + ":";
  CHECK(said == "2 " + at + "2:27: error: data.train.trg: " + (dir / "missing.en") +
                    ": cannot be read (No such file or directory)\n" + at +
                    "4:10: error: data.dev.src: " + (dir / "folder") + ": cannot be read (Is a directory)\n" + at +
                    "7:14: error: data.weights.example: " + (dir / "gone") +
                    ": cannot be read (No such file or directory)\n" + "--set model.init.file=" + (dir / "nowhere") +
                    ": error: model.init.file: " + (dir / "nowhere") +
                    ": cannot be read (No such file or directory)\n4 errors; nothing was run");
  const std::string both = reading(config, {"optim.lr=-1", "data.train.trg=" + (dir / "here")});
  CHECK(has(both, "optim.lr"));
  CHECK(has(both, "3 errors; nothing was run"));
  CHECK(has(both, "data.train.trg") == false);
  CHECK(reading(config, {"data.train.trg=here", "data.dev.src=" + (dir / "here"), "data.weights.example=null"})
            .find("data.train.trg: ") != std::string::npos);  // an option's paths are relative to where it is given
  CHECK(reading(config, {"data.train.trg=" + (dir / "here"), "data.dev.src=" + (dir / "here"),
                         "data.weights.example=" + (dir / "here")}) == "");
  CHECK(error_of([&] {
          Config unread;  // as by who needs no data
          load(unread, config);
        }) == "");
}

TEST_CASE("a file that this user may not read, and a path through a file, are told with what the system says") {
  const Scratch dir;
  const std::string secret = dir.write("secret", "a\n");
  chmod(secret.c_str(), 0);
  chmod(dir.path.c_str(), 0755);
  const auto set = [&](const std::string& path) {
    return std::vector<std::string>{"data.train.tsv=" + path, "data.dev.tsv=" + dir.write("ok", "a\tb\n")};
  };
  const std::vector<std::string> locked = set(secret);
  CHECK(as_nobody([&] { return has(reading("", locked), "secret: cannot be read (Permission denied)"); }));
  CHECK(has(reading("", set(secret + "/x")), "secret/x: cannot be read (Not a directory)"));
  CHECK(has(reading("", set("/")), "error: data.train.tsv: /: cannot be read (Is a directory)"));
}

TEST_CASE("the commands that read data name key and place, and make nothing") {
  const Scratch dir;
  const std::string config = dir.write("c.yaml", "data: {train: {tsv: none.tsv}, dev: {tsv: none.tsv}}\n"),
                    told = config + ":1:21: error: data.train.tsv: " + (dir / "none.tsv") + ": cannot be read (No such";
  for (const std::string& command : {"train " + config + " --run-dir " + (dir / "run"), "data " + config,
                                     "explain " + config, "gradcheck " + config}) {
    const Result r = run_seqgrad(dir, command);
    CAPTURE(command, r.err);
    CHECK(r.code == 2);
    CHECK(first_line(r.err).starts_with(told));
    CHECK(has(r.err, "2 errors; nothing was run"));
  }
  CHECK_FALSE(fs::exists(dir / "run"));
}

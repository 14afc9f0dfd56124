// Output files of every kind: what a path names is written, and nothing else is replaced.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <set>
#include <thread>

#include "engine/io/output.h"
#include "tests/support/catch.h"
#include "tests/support/child.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
namespace fs = std::filesystem;

namespace {

std::set<std::string> names_in(const std::string& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.insert(entry.path().filename());
  return names;
}

mode_t mode_of(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 ? info.st_mode : 0;
}

// The error of writing as a user who is not root, whom permissions would not stop.
std::string error_as_user(const Scratch& dir, const std::string& path) {
  const std::string said = dir.write("said", "");
  chmod(said.c_str(), 0666);
  chmod(dir.path.c_str(), 0755);
  in_child([&] {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 1;
    std::ofstream(said) << error_of([&] { write_output(path, "newer"); });
    return 0;
  });
  const std::string text = slurp(said);
  fs::remove(said);
  return text;
}

}  // namespace

TEST_CASE("a new file has the mode that the umask leaves, an older one keeps its own") {
  const Scratch dir;
  const std::string path = dir / "page.html";
  const mode_t mask = umask(0027);
  write_output(path, "one");
  umask(mask);
  CHECK((mode_of(path) & 07777) == 0640);
  for (const mode_t mode : {0600, 0400, 0666, 0755}) {
    chmod(path.c_str(), mode);
    if (mode & S_IWUSR) write_output(path, "two");
    CHECK((mode_of(path) & 07777) == mode);
  }
  CHECK(slurp(path) == "two");
  CHECK(names_in(dir.path) == std::set<std::string>{"page.html"});
  if (geteuid() == 0) {  // who may give files away leaves them to whom they belong
    REQUIRE(chown(path.c_str(), 65534, 65533) == 0);
    write_output(path, "three");
    struct stat info {};
    REQUIRE(stat(path.c_str(), &info) == 0);
    CHECK((info.st_uid == 65534 && info.st_gid == 65533));
    CHECK((info.st_mode & 07777) == 0755);
  }
}

TEST_CASE("a link stays a link, and what it points to is written") {
  const Scratch dir;
  fs::create_directories(dir / "far");
  const std::string link = dir / "link", far = dir.write("far/target", "older");
  chmod(far.c_str(), 0600);
  for (const std::string& to : {std::string("far/target"), far, std::string("hop")}) {
    fs::remove(link);
    fs::create_symlink(to, link);
    if (to == "hop") fs::create_symlink("far/../far/target", dir / "hop");
    write_output(link, "newer " + to);
    CHECK((fs::read_symlink(link) == to));
    CHECK(slurp(far) == "newer " + to);
    CHECK((mode_of(far) & 07777) == 0600);
  }
  fs::remove(far);
  write_output(link, "made");  // through two links to nothing
  CHECK(slurp(far) == "made");
  CHECK((fs::is_symlink(link) && fs::is_symlink(dir / "hop")));
  CHECK(names_in(dir / "far") == std::set<std::string>{"target"});
  fs::create_symlink("nowhere/file", dir / "lost");
  CHECK(error_of([&] { write_output(dir / "lost", ""); }) ==
        "3 " + (dir / "lost") + ": cannot create (No such file or directory)");
  fs::create_symlink("ring", dir / "ring");
  CHECK(error_of([&] { write_output(dir / "ring", ""); }) ==
        "3 " + (dir / "ring") + ": cannot write (Too many levels of symbolic links)");
}

TEST_CASE("a pipe, a device and a descriptor are written, not replaced") {
  const Scratch dir;
  const std::string pipe = dir / "pipe", text(200000, 'p');
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  std::string read;
  {
    std::thread reader([&] { read = slurp(pipe); });
    write_output(pipe, text);
    reader.join();
  }
  CHECK(read == text);
  CHECK(S_ISFIFO(mode_of(pipe)));
  // In processes without root's rights, which could replace a device of the system's.
  CHECK(error_as_user(dir, "/dev/null").empty());
  CHECK(error_as_user(dir, "/dev/full") == "3 /dev/full: cannot write (No space left on device)");
  fs::create_symlink("/dev/null", dir / "link");
  CHECK(error_as_user(dir, dir / "link").empty());
  CHECK((fs::read_symlink(dir / "link") == "/dev/null"));
  if (mknod((dir / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0) {
    if (access((dir / "null").c_str(), W_OK) == 0 && std::ofstream(dir / "null").is_open()) {  // devices work there
      write_output(dir / "null", text);                                                        // as root too
      CHECK(S_ISCHR(mode_of(dir / "null")));
    }
    fs::remove(dir / "null");
  }
  CHECK(names_in(dir.path) == std::set<std::string>{"link", "pipe"});
}

TEST_CASE("a descriptor of this process is written where it stands") {
  const Scratch dir;
  for (const char* name : {"/dev/fd/{}", "/proc/self/fd/{}"}) {
    const std::string file = dir / "file";
    const int fd = open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0644);
    REQUIRE(fd >= 0);
    REQUIRE(write(fd, "before ", 7) == 7);
    write_output(fmt::format(fmt::runtime(name), fd), "page");
    REQUIRE(write(fd, " after", 6) == 6);
    close(fd);
    CHECK(slurp(file) == "before page after");
    CHECK(names_in(dir.path) == std::set<std::string>{"file"});
    CHECK(error_of([&] { write_output(fmt::format(fmt::runtime(name), fd), "x"); }).substr(0, 2) == "3 ");
  }
  const std::string lesson = SEQGRAD_SOURCE_DIR "/configs/lessons/01_padding.yaml";
  const Result r = run_seqgrad(dir, "explain " + lesson + " -q --html /dev/stdout");
  CHECK(r.code == 0);
  CHECK(has(r.out, "<!DOCTYPE html>"));
  CHECK(has(r.out, "</html>"));
}

TEST_CASE("a failure names the path and what the system said, and leaves no temporary") {
  const Scratch dir;
  fs::create_directories(dir / "folder");
  fs::create_directories(dir / "closed");
  dir.write("closed/file", "older");
  chmod((dir / "closed/file").c_str(), 0666);
  chmod((dir / "closed").c_str(), 0555);
  const std::string kept = dir.write("kept", "older");
  chmod(dir.path.c_str(), 0777);
  chmod(kept.c_str(), 0444);
  const auto same = [&](const std::string& path, const std::string& what) {
    CHECK(error_as_user(dir, path) == "3 " + path + ": cannot " + what);
  };
  same(dir / "folder", "write (Is a directory)");
  same(dir / "none/file", "create (No such file or directory)");
  same(dir / "closed/file", "create (Permission denied)");
  same(dir / "closed/new", "create (Permission denied)");
  same(kept, "write (Permission denied)");
  same(dir / "kept/file", "create (Not a directory)");
  CHECK(slurp(kept) == "older");
  CHECK(slurp(dir / "closed/file") == "older");
  CHECK(names_in(dir / "closed") == std::set<std::string>{"file"});
  const std::string big = dir.write("big", "older");
  in_child([&] {  // as a disk that is full half-way
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    return error_of([&] { write_output(big, std::string(5000, 'x')); }) ==
                   "3 " + big + ": cannot write (File too large)"
               ? 0
               : 1;
  });
  CHECK(slurp(big) == "older");
  CHECK(names_in(dir.path) == std::set<std::string>{"big", "closed", "folder", "kept"});
  chmod((dir / "closed").c_str(), 0755);
}

TEST_CASE("what can be known before the work is told before it") {
  const Scratch dir;
  fs::create_directories(dir / "folder");
  REQUIRE(mkfifo((dir / "pipe").c_str(), 0600) == 0);
  for (const char* name : {"new", "pipe"}) check_output(dir / name);
  check_output("/dev/stdout");
  check_output("/dev/null");
  CHECK(error_of([&] { check_output(dir / "folder"); }) == "3 " + (dir / "folder") + ": cannot write (Is a directory)");
  CHECK(error_of([&] { check_output(dir / "none/x"); }) ==
        "3 " + (dir / "none/x") + ": cannot create (No such file or directory)");
  CHECK(names_in(dir.path) == std::set<std::string>{"folder", "pipe"});
}

TEST_CASE("names of temporary files cannot be guessed, and long names have room for them") {
  const Scratch dir;
  std::set<std::string> names;
  for (int i = 0; i < 1000; ++i) names.insert(temporary_name(dir / "file"));
  CHECK(names.size() == 1000);
  const std::string longest = dir / std::string(255, 'n');
  write_output(longest, "text");
  CHECK(slurp(longest) == "text");
  CHECK(error_of([&] { write_output(longest + "n", ""); }) ==
        "3 " + shown_path(longest + "n") + ": cannot create (File name too long)");
}

// Each option that names an output file, with a pipe, a link and a folder in its place.
TEST_CASE("every option that takes an output file writes it in the same way") {
  const Scratch dir;
  const std::string cases = SEQGRAD_SOURCE_DIR "/tests/cases/", lessons = SEQGRAD_SOURCE_DIR "/configs/lessons/";
  const std::string one = cases + "tfa/flags_ttff_f64";
  REQUIRE(run_seqgrad(dir, "train " SEQGRAD_SOURCE_DIR "/configs/copy.yaml --max-steps 1 --run-dir " + (dir / "run") +
                               " --set data.sizes.train=50 --set data.sizes.dev=5 --set data.sizes.test=5 --set "
                               "train.epochs=1 --set model.embedding=4 --set model.encoder.hidden=4 --set "
                               "model.decoder.hidden=4 -q")
              .code == 0);
  for (const std::string& command :
       {"explain " + lessons + "01_padding.yaml --html ", "check " + one + " --junit ", "loss " + one + " --out ",
        "translate --checkpoint last " + (dir / "run") + " --attention "}) {
    CAPTURE(command);
    fs::remove(dir / "pipe"), fs::remove(dir / "link"), fs::remove(dir / "target");
    REQUIRE(mkfifo((dir / "pipe").c_str(), 0600) == 0);
    std::string read;
    std::thread reader([&] { read = slurp(dir / "pipe"); });
    const Result piped = run_seqgrad(dir, command + (dir / "pipe"), "a b c\n");
    if (!S_ISFIFO(mode_of(dir / "pipe")) || piped.code != 0)  // lets the reader go
      close(open((dir / "pipe").c_str(), O_RDWR | O_NONBLOCK));
    reader.join();
    CHECK(piped.code == 0);
    CHECK(S_ISFIFO(mode_of(dir / "pipe")));
    dir.write("target", "older");
    chmod((dir / "target").c_str(), 0600);
    fs::create_symlink("target", dir / "link");
    CHECK(run_seqgrad(dir, command + (dir / "link"), "a b c\n").code == 0);
    CHECK((fs::read_symlink(dir / "link") == "target"));
    CHECK((mode_of(dir / "target") & 07777) == 0600);
    CHECK(slurp(dir / "target").size() > 100);
    CHECK(read.size() == slurp(dir / "target").size());
    const Result folder = run_seqgrad(dir, command + dir.path.string(), "a b c\n");
    CHECK(folder.code == (has(command, "--html") ? 2 : 3));
    const Result full = run_seqgrad(dir, command + (dir / "none/file"), "a b c\n");
    CHECK(full.code == 3);
    CHECK(full.err == "error: " + (dir / "none/file") + ": cannot create (No such file or directory)\n");
  }
}

TEST_CASE("no option that takes an output file replaces what the command reads") {
  const Scratch dir;
  const std::string lessons = SEQGRAD_SOURCE_DIR "/configs/lessons/";
  fs::create_directory(dir / "case");
  for (const char* name : {"case.yaml", "tensors.safetensors"})
    fs::copy_file(fs::path(SEQGRAD_SOURCE_DIR "/tests/cases/tfa/flags_ttff_f64") / name, dir.path / "case" / name);
  fs::create_directory(dir / "lessons");
  for (const char* name : {"one.yaml", "two.yaml"})
    fs::copy_file(lessons + "01_padding.yaml", dir.path / "lessons" / name);
  dir.write("a", "x y\nz\n"), dir.write("b", "1 2\n3\n");
  const std::string config =
      dir.write("m.yaml",
                "data: {train: {src: a, trg: b}, dev: {src: a, trg: b}}\nmodel: {embedding: 4, encoder: {hidden: 4}, "
                "decoder: {hidden: 4}}\ntrain: {steps: 1}\n");
  REQUIRE(run_seqgrad(dir, "train " + config + " -q --run-dir " + (dir / "run")).code == 0);
  fs::create_directory(dir / "pages");
  fs::create_symlink("../lessons/two.yaml", dir / "pages/two.html");
  fs::create_symlink("m.yaml", dir / "link");
  fs::create_hard_link(dir / "a", dir / "twin");
  const auto refused = [&](const std::string& command, const std::string& output, const std::string& read) {
    const std::string before = slurp(read);
    const Result r = run_seqgrad(dir, command + " " + output, "x y\n");
    CAPTURE(command, output, r.err);
    CHECK(r.code == 2);
    CHECK(r.out.empty());
    CHECK(r.err == output + ": error: " + (output == read ? "it is" : "it is " + read + ", which is") +
                       " read by this command, and would be replaced; name another file to write\n");
    CHECK(slurp(read) == before);
  };
  const std::string run = dir / "run", one = dir / "case", tensors = dir / "case/tensors.safetensors";
  refused("explain " + config + " --html", config, config);
  refused("explain " + config + " --html", dir / "link", config);
  refused("explain " + config + " --html", dir / "a", dir / "a");
  refused("explain " + config + " --html", dir / "twin", dir / "a");
  refused("explain " + (dir / "lessons/one.yaml") + " --json --html", dir / "lessons/one.yaml",
          dir / "lessons/one.yaml");
  refused("loss " + one + " --out", tensors, tensors);
  refused("check " + one + " --junit", dir / "case/case.yaml", dir / "case/case.yaml");
  refused("check " + dir.path.string() + " --junit", tensors, tensors);
  refused("check --files " + tensors + " " + tensors + " --junit", tensors, tensors);
  refused("translate " + run + " --attention", run + "/run.json", run + "/run.json");
  refused("translate " + run + " --attention", run + "/source.vocab", run + "/source.vocab");
  const Result typed = run_seqgrad(dir, "translate " + run + " --attention " + (dir / "stdin"), "x y\n");
  CHECK(typed.code == 2);
  CHECK(has(typed.err, "/stdin: error: it is /dev/stdin, which is read by this command"));
  const Result course = run_seqgrad(dir, "explain " + (dir / "lessons") + " --html " + (dir / "pages"));
  CHECK(course.code == 2);
  CHECK(has(course.err, "/pages/two.html: error: it is "));
  CHECK_FALSE(fs::exists(dir / "pages/one.html"));
  // What a run is read from later, by whichever command and link; no file that only lies beside it.
  const auto kept = [&](const std::string& command, const std::string& output) {
    const std::string before = slurp(output);
    const Result r = run_seqgrad(dir, command + " " + output, "x y\n");
    CAPTURE(command, r.err);
    CHECK(r.code == 2);
    CHECK(r.err == output + ": error: it belongs to a run, and would be replaced; name another file to write\n");
    CHECK(slurp(output) == before);
  };
  REQUIRE(fs::exists(run + "/report.html"));
  fs::create_symlink("run/report.html", dir / "page.html");
  kept("translate " + run + " --attention", run + "/report.html");
  kept("explain " + config + " --html", run + "/source.vocab");
  kept("explain " + config + " --html", dir / "page.html");
  kept("loss " + one + " --out", run + "/checkpoints/best/model.safetensors");
  CHECK(run_seqgrad(dir, "translate " + run + " --attention " + run + "/attention.html", "x y\n").code == 0);
  CHECK(run_seqgrad(dir, "translate " + run + " --attention " + run + "/attention.html", "x y\n").code == 0);
  // What another command reads, and what is no file.
  CHECK(run_seqgrad(dir, "loss " + one + " --out " + (dir / "twin")).code == 0);
  CHECK(run_seqgrad(dir, "explain " + config + " --html /dev/stdout").code == 0);
  CHECK(run_seqgrad(dir, "translate " + run + " --attention /dev/null < /dev/null").code == 0);
}

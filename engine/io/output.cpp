// A path is looked up first (links, kind of file), then written in the way that its kind asks for.
#include "engine/io/output.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/core/error.h"
#include "engine/io/inputs.h"
#include "engine/io/system_calls.h"

namespace seqgrad {
namespace {

namespace fs = std::filesystem;

// The number of an open descriptor of this process that `path` names, /dev/stdout as the links of the system have it.
std::optional<int> own_descriptor(const std::string& path) {
  std::error_code error;
  const fs::path parent = fs::canonical(directory_of(path), error);
  if (error || parent != fmt::format("/proc/{}/fd", getpid())) return std::nullopt;
  const std::string name = fs::path(path).filename();
  int fd = -1;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), fd);
  if (read.ec != std::errc() || read.ptr != name.data() + name.size()) return std::nullopt;
  return fd;
}

struct Target {
  std::string path;               // after all links
  std::optional<int> descriptor;  // where it names one of this process
  std::optional<struct stat> older;
  bool is_regular() const { return !descriptor && (!older || S_ISREG(older->st_mode)); }
};

// Follows links one by one, as the last may lead to nothing.
Target look_up(const std::string& given) {
  Target target{given, std::nullopt, std::nullopt};
  for (int links = 0;; ++links) {
    if ((target.descriptor = own_descriptor(target.path))) return target;
    struct stat info {};
    if (lstat(target.path.c_str(), &info) != 0) {
      if (errno != ENOENT) system_refused("create", given, errno);
      return target;
    }
    if (!S_ISLNK(info.st_mode)) {
      target.older = info;
      break;
    }
    std::error_code error;
    const fs::path to = fs::read_symlink(target.path, error);
    if (error || links == 40) system_refused("write", given, error ? error.value() : ELOOP);
    target.path = to.is_absolute() ? to.string() : (fs::path(directory_of(target.path)) / to).string();
  }
  if (S_ISDIR(target.older->st_mode)) system_refused("write", given, EISDIR);
  return target;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int close() {  // no second time, whatever it says
    const int fd = fd_;
    fd_ = -1;
    return system_calls.close(fd);
  }

 private:
  int fd_;
};

void write_straight(const Target& target, const std::string& given, std::span<const std::string_view> pieces) {
  if (target.descriptor) std::fflush(nullptr);  // what was printed before stands before it
  int fd = -1;
  do
    fd = target.descriptor ? fcntl(*target.descriptor, F_DUPFD_CLOEXEC, 0)
                           : open(target.path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) system_refused("open", given, errno);
  Descriptor out(fd);
  for (const std::string_view piece : pieces) write_all(out.get(), piece, given);
  if (out.close() != 0) system_refused("close", given, errno);
}

void write_regular(const Target& target, const std::string& given, std::span<const std::string_view> pieces) {
  const std::string temporary = temporary_name(target.path);
  // Nobody else may read it before it has the mode that it is to have.
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                      target.older ? S_IRUSR | S_IWUSR : 0666);
  if (fd < 0) system_refused("create", given, errno);
  Descriptor out(fd);
  try {
    if (target.older) {
      const struct stat& older = *target.older;
      struct stat made {};
      if (fstat(fd, &made) != 0) system_refused("create", given, errno);
      if (made.st_uid != older.st_uid || made.st_gid != older.st_gid)
        static_cast<void>(fchown(fd, older.st_uid, older.st_gid) == 0);  // only root can give a file away
      if (fchmod(fd, older.st_mode & 0777) != 0) system_refused("create", given, errno);
    }
    for (const std::string_view piece : pieces) write_all(fd, piece, given);
    if (system_calls.fsync(fd) != 0) system_refused("sync", given, errno);
    if (out.close() != 0) system_refused("close", given, errno);
    rename_to(temporary, target.path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_directory(directory_of(target.path));
}

// ".tmp-" and a number of this host, as far as process numbers mean the same: hosts that share a directory have other
// names, containers other spaces of numbers.
const std::string& mark() {
  static const std::string made = [] {
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    struct stat numbers {};
    const uint64_t space = stat("/proc/self/ns/pid", &numbers) == 0 ? numbers.st_ino : 0;
    return fmt::format(".tmp-{:08x}-", static_cast<uint32_t>(XXH64(host, std::strlen(host), space)));
  }();
  return made;
}

void check_permission(const Target& target, const std::string& given) {
  if (target.descriptor) return;
  if (target.older && faccessat(AT_FDCWD, target.path.c_str(), W_OK, AT_EACCESS) != 0)
    system_refused("write", given, errno);
}

// A file that a run, or a checkpoint of one, is read from later.
void refuse_file_of_a_run(const std::string& given) {
  static constexpr std::string_view of_run[] = {"run.json",     "config.yaml",   "config.resolved.yaml", "source.vocab",
                                                "target.vocab", "metrics.jsonl", "report.html"};
  static constexpr std::string_view of_checkpoint[] = {"state.json", "model.safetensors", "optim.safetensors"};
  const fs::path path(look_up(given).path);
  const auto is_one = [&](std::span<const std::string_view> names) {  // the first of them says what the folder is
    std::error_code error;
    return std::ranges::find(names, path.filename().string()) != names.end() && fs::is_regular_file(path, error) &&
           fs::exists(path.parent_path() / names[0], error);
  };
  if (is_one(of_run) || is_one(of_checkpoint))
    refuse("{}: error: it belongs to a run, and would be replaced; name another file to write", shown_path(given));
}

}  // namespace

void write_output(const std::string& path, std::string_view bytes) { write_output(path, std::span(&bytes, 1)); }

void write_output(const std::string& path, std::span<const std::string_view> pieces) {
  const Target target = look_up(path);
  check_permission(target, path);
  target.is_regular() ? write_regular(target, path, pieces) : write_straight(target, path, pieces);
}

void check_output(const std::string& path) {
  const Target target = look_up(path);
  check_permission(target, path);
  if (target.is_regular() && faccessat(AT_FDCWD, directory_of(target.path).c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    system_refused("create", path, errno);
}

void check_named_output(const std::string& path) {
  refuse_input(path);
  refuse_file_of_a_run(path);
  check_output(path);
}

std::string temporary_name(const std::string& path) {
  uint64_t random = 0;
  if (getrandom(&random, sizeof random, 0) != sizeof random) system_refused("create", path, errno);
  constexpr size_t longest = 200;  // of 255 that a name may have
  const fs::path whole(path);
  std::string name = whole.filename().string();
  if (name.size() > 255) system_refused("create", path, ENAMETOOLONG);
  if (name.size() > longest) name.resize(longest);
  return (whole.parent_path() / fmt::format("{}{}{}-{:016x}", name, mark(), getpid(), random)).string();
}

pid_t temporary_owner(std::string_view name) {
  const size_t at = name.rfind(mark());
  if (at == std::string_view::npos) return 0;
  const std::string_view digits = name.substr(at + mark().size());
  const char* end = digits.data() + digits.size();
  pid_t pid = 0;
  uint64_t random = 0;
  const auto [dash, bad] = std::from_chars(digits.data(), end, pid);
  if (bad != std::errc() || pid <= 0 || end - dash != 17 || *dash != '-') return 0;
  const auto [stop, wrong] = std::from_chars(dash + 1, end, random, 16);
  return wrong == std::errc() && stop == end ? pid : 0;
}

}  // namespace seqgrad

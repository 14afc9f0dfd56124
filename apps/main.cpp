// The one executable: runs the sub-command, and turns every error into one line and an exit code.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <system_error>

#include "apps/command.h"
#include "engine/core/error.h"
#include "engine/text/escape.h"

namespace seqgrad {
namespace {

// "FILE:LINE:COL: error: …" and a config's report stand as they are, other messages get their "error: ".
void report(const std::string& message) {
  constexpr size_t longest = 400;  // bytes of the first line
  const std::string first = message.substr(0, message.find('\n'));
  const bool located = first.starts_with("error: ") || first.find(": error: ") != std::string::npos;
  std::string line = for_terminal((located ? "" : "error: ") + first);
  const std::string rest = message.substr(first.size());
  if (line.size() > longest) {
    size_t end = longest - 3;
    while (end > 0 && (line[end] & 0xC0) == 0x80) --end;
    line = line.substr(0, end) + "…";
  }
  note(line + rest);
}

// A stream that the caller closed must not become a file that is opened later. Messages may be lost, but who reads a
// closed input or writes a result to a closed output fails: each is opened for the other of the two.
void open_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(fd, F_GETFD) < 0) static_cast<void>(open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_WRONLY));
}

// The exit code when standard output took no more: a reader that left has what it wanted.
int output_failed(int error) {
  if (error == EPIPE) return static_cast<int>(ExitCode::done);
  report(fmt::format("standard output: cannot write ({})", error == EBADF ? "it is closed" : std::strerror(error)));
  return static_cast<int>(ExitCode::system);
}

}  // namespace
}  // namespace seqgrad

int main(int argc, char** argv) {
  using namespace seqgrad;
  open_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);  // the write fails, and says so
  std::signal(SIGXFSZ, SIG_IGN);
  if (argc > 0) set_program(argv[0]);
  int code = static_cast<int>(ExitCode::system);
  try {
    code = parse_command_line({argv, argv + argc})();
    if (std::fflush(stdout) != 0) code = output_failed(errno);
  } catch (const Error& e) {
    report(e.what());
    code = static_cast<int>(e.code());
  } catch (const std::bad_alloc&) {
    report("out of memory");
  } catch (const std::filesystem::filesystem_error& e) {
    report(fmt::format("{}: {}", shown_path(e.path1().string()), std::strerror(e.code().value())));
  } catch (const std::system_error& e) {
    if (std::ferror(stdout))
      code = output_failed(e.code().value());
    else
      report(std::strerror(e.code().value()));
  } catch (const std::exception& e) {
    report(e.what());
  }
  return code;
}

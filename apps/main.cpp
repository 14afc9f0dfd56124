// The one executable: runs the sub-command, and turns every error into one line and an exit code.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <system_error>

#include "apps/command.h"
#include "apps/shared_processes.h"
#include "engine/comm/launched.h"
#include "engine/comm/together.h"
#include "engine/core/error.h"
#include "engine/text/escape.h"

namespace seqgrad {
namespace {

// "FILE:LINE:COL: error: …" and a config's report stand as they are, other messages get their "error: "; `who` stands
// first.
void report(const std::string& message, const std::string& who = "") {
  constexpr size_t longest = 400;  // bytes of the first line
  const std::string first = message.substr(0, message.find('\n'));
  const bool located = first.starts_with("error: ") || first.find(": error: ") != std::string::npos;
  std::string line = for_terminal(who + (located ? "" : "error: ") + first);
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

// How a command ended. `alike`: where several processes share the work, in all of them.
struct Ending {
  int code = static_cast<int>(ExitCode::system);
  std::string error = "";
  bool alike = false;
};

// When standard output took no more: a reader that left has what it wanted.
Ending output_failed(int error) {
  if (error == EPIPE) return {static_cast<int>(ExitCode::done)};
  return {.error = fmt::format("standard output: cannot write ({})",
                               error == EBADF ? "it is closed" : std::strerror(error))};
}

// Whether processes that are started alike meet for this command, or for one that was mistyped.
bool is_shared(const std::vector<std::string>& arguments) {
  const auto found = arguments.size() > 1 ? commands().find(arguments[1]) : commands().end();
  return found == commands().end() || found->second.is_shared;
}

std::function<int()> command_of(const std::vector<std::string>& arguments) {
  try {
    return parse_command_line(arguments);
  } catch (const InputError& e) {
    if (is_shared(arguments))
      tell_all(e, [&] {
        report(e.what());
        std::_Exit(static_cast<int>(e.code()));
      });
    throw;
  }
}

Ending run(const std::vector<std::string>& arguments) {
  try {
    const int code = command_of(arguments)();
    return std::fflush(stdout) == 0 ? Ending{code, "", true} : output_failed(errno);
  } catch (const Error& e) {
    return {static_cast<int>(e.code()), e.what(), dynamic_cast<const AgreedError*>(&e) != nullptr};
  } catch (const std::bad_alloc&) {
    return {.error = "out of memory"};
  } catch (const std::filesystem::filesystem_error& e) {
    return {.error = fmt::format("{}: {}", shown_path(e.path1().string()), std::strerror(e.code().value()))};
  } catch (const std::system_error& e) {
    return std::ferror(stdout) ? output_failed(e.code().value()) : Ending{.error = std::strerror(e.code().value())};
  } catch (const std::exception& e) {
    return {.error = e.what()};
  }
}

// Says the error, once for all processes where all have come to it, and leaves with them; else ends the others too,
// which wait for this one.
int ended(const Ending& ending) {
  Processes& all = opened_processes();
  const bool alone_in_it = all.count() > 1 && !ending.alike;
  if (!ending.error.empty() && (alone_in_it || all.rank() == 0))
    report(ending.error, alone_in_it ? fmt::format("rank {} (host {}): ", all.rank(), all.host()) : "");
  if (alone_in_it) all.abandon(ending.code);
  all.leave();
  return ending.code;
}

}  // namespace
}  // namespace seqgrad

int main(int argc, char** argv) {
  using namespace seqgrad;
  open_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);  // the write fails, and says so
  std::signal(SIGXFSZ, SIG_IGN);
  if (argc > 0) set_program(argv[0]);
  return ended(run({argv, argv + argc}));
}

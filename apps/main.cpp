// The one executable: finds the sub-command, runs it, and turns every error into one line and an exit code.
#include <cstdio>
#include <new>

#include "apps/command.h"
#include "engine/core/error.h"

namespace seqgrad {
namespace {

void report(const std::string& message) {
  // "FILE:LINE:COL: error: …" and a config's report stand as they are.
  const bool located = message.starts_with("error: ") || message.find(": error: ") != std::string::npos;
  fmt::print(stderr, "{}{}\n", located ? "" : "error: ", message);
}

int parse_and_run(int argc, char** argv) {
  CLI::App app("Train small translation models from YAML, and compute, teach and test sequence losses.", "seqgrad");
  app.set_version_flag("--version", "seqgrad " SEQGRAD_VERSION);
  app.require_subcommand(1);
  app.failure_message([](const CLI::App*, const CLI::Error&) { return std::string(); });
  std::function<int()> run;
  for (const auto& [name, command] : commands()) {
    CLI::App* sub = app.add_subcommand(name, command.doc);
    sub->footer("Example:\n  " + command.example);
    sub->callback([&run, chosen = command.declare(*sub)] { run = chosen; });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    refuse("{} (see seqgrad --help)", shown(e.what()));
  }
  return run();
}

}  // namespace
}  // namespace seqgrad

int main(int argc, char** argv) {
  using namespace seqgrad;
  int code = static_cast<int>(ExitCode::system);
  try {
    code = parse_and_run(argc, argv);
  } catch (const Error& e) {
    report(e.what());
    code = static_cast<int>(e.code());
  } catch (const std::bad_alloc&) {
    report("out of memory");
  } catch (const std::exception& e) {
    report(e.what());
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout)) {
    report("standard output: write failed");
    if (code == 0) code = static_cast<int>(ExitCode::system);
  }
  return code;
}

// The registry of sub-commands and their shared options.
#include "apps/command.h"

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <sstream>

#include "engine/core/error.h"
#include "engine/core/registry.h"
#include "engine/io/terminal.h"
#include "engine/text/escape.h"

namespace seqgrad {

static std::map<std::string, Command>& registry() {
  static std::map<std::string, Command> all;
  return all;
}

static struct {
  std::string name = "seqgrad";  // as a person would type it
  bool is_silent = false;
} program;

void set_program(const std::string& path) {
  std::error_code error;
  const std::string here = std::filesystem::current_path(error).string() + "/";
  std::string& name = program.name;
  name = !error && path.starts_with(here) ? path.substr(here.size()) : path;
  if (name != path && name.find('/') == std::string::npos) name = "./" + name;
}

std::string shell_quoted(const std::string& argument) {
  const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("%+,-./:=@_", c); };
  if (!argument.empty() && std::all_of(argument.begin(), argument.end(), plain)) return argument;
  if (for_terminal(argument) != argument) {
    std::string out = "$'";
    for (const char c : argument) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '\'' || c == '\\')
        out += {'\\', c};
      else
        out += byte < 0x20 || byte >= 0x7F ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
    }
    return out + "'";
  }
  std::string out = "'";
  for (const char c : argument) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string command_line(const std::vector<std::string>& arguments) {
  std::string out = shell_quoted(program.name);
  for (const std::string& a : arguments) out += " " + shell_quoted(a);
  return out;
}

void say_nothing() {
  program.is_silent = true;
  if (!std::freopen("/dev/null", "w", stdout)) system_failure("/dev/null: cannot open ({})", std::strerror(errno));
}

void note(const std::string& line) {
  if (!program.is_silent) std::fputs((message_for(line, STDERR_FILENO) + "\n").c_str(), stderr);
}

void print_text(const std::string& text) { fmt::print("{}", lines_for_terminal(text)); }

const std::map<std::string, Command>& commands() { return registry(); }

bool register_command(Command command) {
  const std::string name = command.name;
  return register_once(registry(), "command", name, std::move(command));
}

std::vector<OptionText> options_of(const Command& command) {
  CLI::App app;
  const std::function<int()> owner = command.declare(OptionSet(app));
  std::vector<OptionText> out;
  for (const CLI::Option* o : app.get_options()) {
    if (o == app.get_help_ptr()) continue;
    OptionText text{{}, o->get_items_expected_max() > 0 ? o->get_type_name() : "", o->get_description()};
    for (const std::string& n : o->get_snames()) text.names.push_back("-" + n);
    for (const std::string& n : o->get_lnames()) text.names.push_back("--" + n);
    out.push_back(std::move(text));
  }
  return out;
}

// `help`, `help train` and `train help` are --help.
static std::vector<std::string> without_help_command(std::vector<std::string> arguments) {
  if (arguments.size() == 2 && arguments[1] == "help") return {arguments[0], "--help"};
  if (arguments.size() == 3 && arguments[1] == "help")
    return commands().count(arguments[2]) ? std::vector<std::string>{arguments[0], arguments[2], "--help"}
                                          : std::vector<std::string>{arguments[0], arguments[2]};
  if (arguments.size() == 3 && arguments[2] == "help" && commands().count(arguments[1])) arguments[2] = "--help";
  return arguments;
}

std::function<int()> parse_command_line(const std::vector<std::string>& typed) {
  std::vector<std::string> arguments = without_help_command(typed);
  auto app = std::make_shared<CLI::App>(what_seqgrad_does, "seqgrad");
  app->set_version_flag("--version", "seqgrad " SEQGRAD_VERSION);
  app->require_subcommand(1);
  app->failure_message([](const CLI::App*, const CLI::Error&) { return std::string(); });
  std::function<int()> run;
  for (const auto& [name, command] : commands()) {
    CLI::App* sub = app->add_subcommand(name, command.doc);
    if (std::find(arguments.begin(), arguments.end(), name) == arguments.end())
      continue;  // nobody asks for its options
    sub->footer("Example:\n  " + command.example);
    sub->callback([&run, chosen = command.declare(OptionSet(*sub))] { run = chosen; });
    refuse_empty_values(*sub);
    arguments = with_empty_values(*sub, arguments);
  }
  std::vector<const char*> argv;
  for (const std::string& a : arguments) argv.push_back(a.c_str());
  try {
    app->parse(static_cast<int>(argv.size()), argv.data());
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0)  // --help, --version; through stdio, whose errors main looks at
      return [app, e] {
        std::ostringstream out;
        const int code = app->exit(e, out, out);
        fmt::print("{}", out.str());
        return code;
      };
    refuse("{}", usage_problem(*app, e, arguments));
  }
  return run;
}

std::vector<std::pair<std::string, std::string>> CommonOptions::other_names() {
  return {{"--gpu", "--device cuda"},     {"--cuda", "--device cuda"},    {"--use-cuda", "--device cuda"},
          {"--gpus", "--device cuda"},    {"--cpu", "--device cpu"},      {"--no-cuda", "--device cpu"},
          {"--num-threads", "--threads"}, {"--cpu-threads", "--threads"}, {"--jobs", "--threads"},
          {"--override", "--set"},        {"--param", "--set"},           {"--option", "--set"},
          {"--silent", "--quiet"},        {"--debug", "--verbose"},       {"--random-seed", "--seed"}};
}

void CommonOptions::declare(OptionSet app) {
  app.add_option("--set", set, "Set a config key, e.g. --set optim.lr=0.002 (repeatable; VALUE is YAML)")
      .type_name("KEY=VALUE")
      .repeatable();
  app.add_option("--seed", seed, "Seed of all random numbers").type_name("N").check(whole(0));
  app.add_device(device);
  app.add_option("--threads", threads, "CPU threads; results do not depend on it").type_name("N").check(whole(1, 256));
  app.add_flag("-q,--quiet", quiet, "Print results and errors only");
  app.add_flag("-v,--verbose", verbose, "Print what is read and every value that is used");
}

void CommonOptions::tell(const std::string& text) const {
  if (verbose) note(text);
}

std::string CommonOptions::override_by(const std::string& option, const std::string& key,
                                       const std::string& value) const {
  for (const std::string& s : set)
    if (s.starts_with(key + "=") && s.substr(key.size() + 1) != value)
      refuse("{} {} and --set {} contradict each other; leave one of them out", option, shown(value), shown(s));
  return fmt::format("{}={}", key, value);
}

std::vector<std::string> CommonOptions::overrides() const {
  std::vector<std::string> all;
  if (seed) all.push_back(override_by("--seed", "seed", std::to_string(*seed)));
  if (!device.empty()) all.push_back(override_by("--device", "device", device));
  if (threads) all.push_back(override_by("--threads", "threads", std::to_string(*threads)));
  all.insert(all.end(), set.begin(), set.end());
  return all;
}

}  // namespace seqgrad

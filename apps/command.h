// How a sub-command joins the executable: it registers itself from its own file, and main.cpp never changes.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/options.h"

namespace seqgrad {

inline constexpr const char* what_seqgrad_does =
    "Train small translation models from YAML, and compute, teach and test sequence losses.";

struct Command {
  std::string name, doc, example;
  // Declares its options and returns what to run after parsing, which owns where they are read to; the result is
  // the exit code.
  std::function<std::function<int()>(OptionSet app)> declare;
  std::vector<std::string> other_names = {};  // what other programs call it: told to who types them
  std::vector<std::pair<std::string, std::string>> other_options = {};  // the same: {"--output-dir", "--run-dir"}
  bool is_shared = false;  // whether processes that mpirun starts share its work, rather than each does it alone
};

// How the executable was called, for commands that a person can copy.
void set_program(const std::string& path);
// For a shell, where it needs it; what a terminal would not show as $'\x1b', which bash, zsh and ksh read.
std::string shell_quoted(const std::string& argument);
// "build/seqgrad train --resume 'my run'": the arguments after the program, quoted.
std::string command_line(const std::vector<std::string>& arguments);

// A line on stderr, or several, with whatever they quote made safe for a terminal. Where nobody reads it, it is lost
// and the work goes on.
void note(const std::string& line);

// From now on notes and what is printed on stdout are lost: another process tells.
void say_nothing();

// The same on stdout, for people: made safe for a terminal, line feeds kept, and none is added. For data see
// engine/io/terminal.h.
void print_text(const std::string& text);

const std::map<std::string, Command>& commands();
bool register_command(Command command);

// The options of a command as its help has them, without --help.
struct OptionText {
  std::vector<std::string> names;  // "-q", "--quiet"; none of an argument without a name
  std::string type, doc;           // of its value, empty for a flag
};
std::vector<OptionText> options_of(const Command& command);

// What `arguments` (the first is the program) ask for, ready to run; InputError when they are wrong.
std::function<int()> parse_command_line(const std::vector<std::string>& arguments);

// The options that several sub-commands share.
struct CommonOptions {
  std::vector<std::string> set;  // "a.b=VALUE", in the order given
  std::optional<uint64_t> seed;
  std::string device;  // empty: as configured
  std::optional<int> threads;
  bool quiet = false, verbose = false;

  static std::vector<std::pair<std::string, std::string>> other_names();  // of these options, as in Command
  void declare(OptionSet app);
  void tell(const std::string& text) const;    // a note, with --verbose
  std::vector<std::string> overrides() const;  // --seed, --device and --threads as --set lines, before the --set ones
  // "KEY=VALUE" of an option that is short for --set KEY=VALUE; InputError where --set gives another value.
  std::string override_by(const std::string& option, const std::string& key, const std::string& value) const;
};

}  // namespace seqgrad

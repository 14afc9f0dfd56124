// The options of sub-commands, what their values may be, and what is said of a command line that is wrong. They are
// CLI11's; its header costs each file that sees it two seconds to compile, so that only the files that parse do.
#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "engine/config/likely.h"

namespace CLI {
class App;
class Option;
class ParseError;
}  // namespace CLI

namespace seqgrad {

// What is wrong with a value as it was typed: "expected …, got '…'"; empty: nothing.
using ValueCheck = std::function<std::string(const std::string& typed)>;
// A whole number, written in digits, from `least` to `most`.
ValueCheck whole(int64_t least, int64_t most = std::numeric_limits<int64_t>::max());
// A number from `least` to `most`.
ValueCheck number(double least, double most);
// One of some words; `aliases` are other programs' words for them.
ValueCheck one_of(std::vector<std::string> words, Aliases aliases = {});

// An option of a command, or an argument without a name; each function returns it for the next.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  // Of its value, in the help, in messages, and for completion (apps/complete): "13a|none" are words, "PRESET" the name
  // of a table, and "PRESET,…" takes several.
  Option type_name(const std::string& name);
  Option required();
  Option check(const ValueCheck& check);
  Option excludes(const Option& other);
  Option repeatable();  // each time with one value
  Option expected(int values);
  Option delimiter(char c);  // between values in one argument
  Option description(const std::string& text);

  std::string name() const, description() const;
  bool given() const;  // once the command line was read

 private:
  CLI::Option* option_;
};

// What a command takes. `value` is where it is read to, and keeps what it holds when the option is not given.
class OptionSet {
 public:
  explicit OptionSet(CLI::App& app) : app_(&app) {}
  // T: std::string, int, int64_t, double, an std::optional of one of them or uint64_t, or std::vector<std::string>.
  template <class T>
  Option add_option(const std::string& name, T& value, const std::string& doc);
  Option add_flag(const std::string& name, bool& value, const std::string& doc);
  Option add_device(std::string& device);  // --device, as every command has it

  std::vector<Option> all() const;
  void when_parsed(const std::function<void()>& check);

 private:
  CLI::App* app_;
};

// No option or argument of `app` takes an empty value, which is what a shell makes of a variable that is not set. Call
// it when all are declared: what a value's own check says of it comes first.
void refuse_empty_values(CLI::App& app);
// Such a value after an equals sign ("--html=") as an argument of its own; the parser would take the next one for it.
std::vector<std::string> with_empty_values(const CLI::App& app, const std::vector<std::string>& arguments);

// The message for what `app` refused of `arguments` (the first is the program), without the parser's own words.
std::string usage_problem(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments);

}  // namespace seqgrad

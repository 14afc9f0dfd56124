// Values are checked as they are written, before the parser converts them: it would take "0x10" and wrap what is too
// large.
#include "apps/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/config/problems.h"
#include "engine/core/error.h"

namespace seqgrad {

template <class T>
static bool reads_whole(const std::string& text, T& value) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

CLI::Validator whole(int64_t least, int64_t most) {
  const std::string range = most == std::numeric_limits<int64_t>::max() ? fmt::format("of at least {}", least)
                                                                        : fmt::format("from {} to {}", least, most);
  const auto check = [=](std::string& text) {
    int64_t value = 0;
    if (reads_whole(text, value) && value >= least && value <= most) return std::string();
    return fmt::format("expected a whole number {}, got '{}'", range, shown(text));
  };
  return CLI::Validator(check, "");
}

CLI::Validator number(double least, double most) {
  const auto check = [=](std::string& text) {
    double value = 0;
    if (reads_whole(text, value) && value >= least && value <= most) return std::string();
    const std::string range =
        std::isinf(most) ? fmt::format("of at least {}", least) : fmt::format("from {} to {}", least, most);
    return fmt::format("expected a number {}, got '{}'", range, shown(text));
  };
  return CLI::Validator(check, "");
}

CLI::Validator one_of(std::vector<std::string> words) {
  const auto check = [=](std::string& text) {
    if (std::find(words.begin(), words.end(), text) != words.end()) return std::string();
    return fmt::format("expected {}, got '{}'", fmt::join(words, " or "), shown(text));
  };
  return CLI::Validator(check, "");
}

static std::string did_you_mean(const std::string& word, const std::vector<std::string>& names) {
  const std::string near = closest(word, names);
  return near.empty() ? "" : fmt::format("; did you mean '{}'?", near);
}

// What stands where a command should.
static std::string no_command(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  if (arguments.size() < 2) return fmt::format("a command is needed: {}", fmt::join(names, ", "));
  const std::string& first = arguments[1];
  return first.starts_with('-')
             ? fmt::format("unknown option '{}'; a command comes first: {}", shown(first), fmt::join(names, ", "))
             : fmt::format("unknown command '{}'{}", shown(first), did_you_mean(first, names));
}

static std::string unexpected(const CLI::App& command) {
  std::vector<std::string> rest = command.remaining(), names;
  // The parser gathers from the end: options come to the front, as they are the likelier mistake.
  const auto option = std::find_if(rest.begin(), rest.end(), [](const std::string& a) { return a.starts_with('-'); });
  if (option == rest.end()) return fmt::format("unexpected argument '{}'", rest.empty() ? "" : shown(rest.front()));
  for (const CLI::Option* o : command.get_options())
    for (const std::string& name : o->get_lnames()) names.push_back("--" + name);
  return fmt::format("unknown option '{}'{}", shown(*option), did_you_mean(*option, names));
}

std::string usage_problem(const CLI::App& app, const CLI::ParseError& error,
                          const std::vector<std::string>& arguments) {
  const auto chosen = app.get_subcommands();
  if (chosen.empty()) return no_command(app, arguments) + " (see seqgrad --help)";
  const CLI::App& command = *chosen.front();
  const std::string help = fmt::format(" (see seqgrad {} --help)", command.get_name());
  std::string message = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error)) message = unexpected(command);
  if (dynamic_cast<const CLI::RequiredError*>(&error))
    for (const CLI::Option* o : command.get_options())
      if (o->get_required() && o->count() == 0) message = o->get_type_name() + " is missing";
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error))
    for (const CLI::Option* o : command.get_options())
      if (message.starts_with(o->get_name() + ":"))
        message = o->get_items_expected_min() > 1
                      ? fmt::format("{}: expected {}, got '{}'", o->get_name(), o->get_type_name(),
                                    shown(fmt::format("{}", fmt::join(o->results(), " "))))
                  : o->count() == 0 ? fmt::format("{}: {} is missing after it", o->get_name(), o->get_type_name())
                                    : fmt::format("{}: given {} times; once is enough", o->get_name(), o->count());
  if (dynamic_cast<const CLI::ConversionError*>(&error))
    for (const CLI::Option* o : command.get_options())
      if (o->count() > 0 && message.find(": " + o->get_name() + " = ") != message.npos)
        message = fmt::format("{}: {}, got '{}'", o->get_name(),
                              o->get_items_expected_max() == 0 ? "takes no value" : "expected " + o->get_type_name(),
                              shown(fmt::format("{}", fmt::join(o->results(), " "))));
  if (const size_t at = message.find(" excludes ");
      dynamic_cast<const CLI::ExcludesError*>(&error) && at != message.npos)
    message.replace(at, 10, " does not go with ");
  return fmt::format("{}: {}{}", command.get_name(), message, help);
}

}  // namespace seqgrad

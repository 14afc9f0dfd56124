// Values are checked as they are written, before the parser converts them: it would take "0x10" and wrap what is too
// large.
#include "apps/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>

#include "apps/command.h"
#include "engine/config/meant.h"
#include "engine/core/error.h"
#include "engine/text/edit_distance.h"
#include "engine/train/config.h"

namespace seqgrad {

template <class T>
static bool reads_whole(const std::string& text, T& value) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

ValueCheck whole(int64_t least, int64_t most) {
  return [=](const std::string& text) {
    int64_t value = 0;
    if (reads_whole(text, value) && value >= least && value <= most) return std::string();
    const bool too_many_digits = text.size() > 18 && text.find_first_not_of("0123456789") == std::string::npos;
    const std::string range = most == std::numeric_limits<int64_t>::max() && !too_many_digits
                                  ? fmt::format("of at least {}", least)
                                  : fmt::format("from {} to {}", least, most);
    return fmt::format("expected a whole number {}, got '{}'", range, shown(text));
  };
}

ValueCheck number(double least, double most) {
  return [=](const std::string& text) {
    double value = 0;
    if (reads_whole(text, value) && value >= least && value <= most) return std::string();
    const std::string range =
        std::isinf(most) ? fmt::format("of at least {}", least) : fmt::format("from {} to {}", least, most);
    return fmt::format("expected a number {}, got '{}'", range, shown(text));
  };
}

ValueCheck one_of(std::vector<std::string> words, Aliases aliases) {
  return [=](const std::string& text) {
    if (std::find(words.begin(), words.end(), text) != words.end()) return std::string();
    Node node;
    node.kind = Node::Kind::scalar;
    node.text = text;
    const std::string meant = text.empty() ? "" : likely_choice(node, words, aliases).name;
    return fmt::format("expected {}, got '{}'{}", fmt::join(words, " or "), shown(text),
                       meant.empty() ? "" : " (write " + meant + ")");
  };
}

Option Option::type_name(const std::string& name) { return option_->type_name(name), *this; }
Option Option::required() { return option_->required(), *this; }
Option Option::excludes(const Option& other) { return option_->excludes(other.option_), *this; }
Option Option::repeatable() { return option_->take_all()->allow_extra_args(false), *this; }
Option Option::expected(int values) { return option_->expected(values), *this; }
Option Option::delimiter(char c) { return option_->delimiter(c), *this; }
Option Option::description(const std::string& text) { return option_->description(text), *this; }
Option Option::check(const ValueCheck& check) {
  return option_->check(CLI::Validator([check](std::string& text) { return check(text); }, "")), *this;
}
std::string Option::name() const { return option_->get_name(); }
std::string Option::description() const { return option_->get_description(); }
bool Option::given() const { return option_->count() > 0; }

template <class T>
Option OptionSet::add_option(const std::string& name, T& value, const std::string& doc) {
  return Option(app_->add_option(name, value, doc));
}
template Option OptionSet::add_option(const std::string&, std::string&, const std::string&);
template Option OptionSet::add_option(const std::string&, int&, const std::string&);
template Option OptionSet::add_option(const std::string&, int64_t&, const std::string&);
template Option OptionSet::add_option(const std::string&, double&, const std::string&);
template Option OptionSet::add_option(const std::string&, std::optional<std::string>&, const std::string&);
template Option OptionSet::add_option(const std::string&, std::optional<int>&, const std::string&);
template Option OptionSet::add_option(const std::string&, std::optional<int64_t>&, const std::string&);
template Option OptionSet::add_option(const std::string&, std::optional<uint64_t>&, const std::string&);
template Option OptionSet::add_option(const std::string&, std::optional<double>&, const std::string&);
template Option OptionSet::add_option(const std::string&, std::vector<std::string>&, const std::string&);

Option OptionSet::add_flag(const std::string& name, bool& value, const std::string& doc) {
  return Option(app_->add_flag(name, value, doc));
}

Option OptionSet::add_device(std::string& device) {
  const Choice choice = device_choice();
  return add_option("--device", device, "Where tensors live")
      .type_name(fmt::format("{}", fmt::join(choice.names(), "|")))
      .check(one_of(choice.names(), choice.aliases));
}

std::vector<Option> OptionSet::all() const {
  std::vector<Option> out;
  for (CLI::Option* o : app_->get_options()) out.emplace_back(o);
  return out;
}

void OptionSet::when_parsed(const std::function<void()>& check) { app_->parse_complete_callback(check); }

void refuse_empty_values(CLI::App& app) {
  for (CLI::Option* o : app.get_options()) {
    if (o->get_items_expected_max() == 0) continue;
    Option(o).check([type = o->get_type_name()](const std::string& text) {
      return text.empty() ? fmt::format("expected {}, got ''", type) : "";
    });
  }
}

std::vector<std::string> with_empty_values(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> out;
  for (const std::string& a : arguments) {
    out.push_back(a);
    if (!a.starts_with("--") || a.find('=') != a.size() - 1) continue;
    const std::string name = a.substr(0, a.size() - 1);
    const CLI::Option* o = app.get_option_no_throw(name);
    if (o && o->get_items_expected_max() > 0) out.back() = name, out.emplace_back();
  }
  return out;
}

static std::string did_you_mean(const std::string& meant) {
  return meant.empty() ? "" : fmt::format("; did you mean '{}'?", meant);
}

// What stands where a command should.
static std::string no_command(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> names{"--help", "--version"};
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  const std::vector<std::string> all(names.begin() + 2, names.end());
  if (arguments.size() < 2) return fmt::format("a command is needed: {}", fmt::join(all, ", "));
  const std::string& first = arguments[1];
  if (first.starts_with('-'))
    return fmt::format("unknown option '{}'; a command comes first: {}", shown(first), fmt::join(all, ", "));
  std::string meant = closest(first, names);
  for (const auto& [name, command] : commands())
    for (const std::string& theirs : command.other_names)
      if (folded(theirs) == folded(first)) meant = name;
  if (meant.empty() && (first.ends_with(".yaml") || first.ends_with(".yml"))) meant = "train " + first;
  return fmt::format("unknown command '{}'{}", shown(first), did_you_mean(shown(meant)));
}

// The option of `command` that was meant by `name`, spelt otherwise, or in another program's words ("--output DIR").
static std::string known_option(const CLI::App& command, const std::string& name, bool slips) {
  std::vector<std::string> names;
  for (const CLI::Option* o : command.get_options())
    for (const std::string& n : o->get_lnames()) names.push_back("--" + n);
  const auto registered = commands().find(command.get_name());
  for (const std::string& n : names)
    if (folded(n) == folded(name)) return n;
  std::vector<std::pair<std::string, std::string>> others = CommonOptions::other_names();
  if (registered != commands().end())
    others.insert(others.begin(), registered->second.other_options.begin(), registered->second.other_options.end());
  for (const auto& [theirs, ours] : others)
    if (folded(theirs) == folded(name) &&
        std::find(names.begin(), names.end(), ours.substr(0, ours.find(' '))) != names.end())
      return ours;
  return slips ? closest(name, names) : "";
}

// "--set train.epochs=5" for --epochs 5, where the command takes a config.
static std::string as_config_key(const CLI::App& command, const std::string& key, const std::string& value) {
  return command.get_option_no_throw("--set") ? option_for(Config(), key, value) : "";
}

// What was meant by the option `name`, whose value may follow it on the command line.
static std::string meant_by(const CLI::App& command, const std::string& name, const std::string& value) {
  std::string key = name.substr(name.find_first_not_of('-'));
  std::replace(key.begin(), key.end(), '-', '_');
  std::string meant = known_option(command, name, false);
  if (meant.empty()) meant = as_config_key(command, key, value);
  // A slip of an option's own name is likelier than one of a config key's.
  if (const std::string slip = known_option(command, name, true); !slip.empty() && folded(key).size() > 2)
    if (meant.empty() || edit_distance(folded(name), folded(slip)) <= 1) meant = slip;
  return meant;
}

static bool is_option(const std::string& argument) {
  return argument.starts_with('-') && argument.find_first_not_of('-') != std::string::npos;
}

static std::string unexpected(const CLI::App& command, const std::vector<std::string>& arguments) {
  const std::vector<std::string> rest = command.remaining();
  // The parser gathers from the end: options come to the front, as they are the likelier mistake.
  const auto option = std::find_if(rest.begin(), rest.end(), is_option);
  if (option == rest.end()) {
    const std::string first = rest.empty() ? "" : rest.front();
    const size_t equals = first.find('=');
    const std::string meant = equals == std::string::npos || equals == 0
                                  ? ""
                                  : as_config_key(command, first.substr(0, equals), first.substr(equals + 1));
    return fmt::format("unexpected argument '{}'{}", shown(first), did_you_mean(meant));
  }
  const size_t equals = option->find('=');
  std::string value = equals == std::string::npos ? "" : option->substr(equals + 1);
  const auto place = std::find(arguments.begin(), arguments.end(), *option);
  if (equals == std::string::npos && place != arguments.end() && place + 1 != arguments.end() &&
      !(place + 1)->starts_with("--"))
    value = *(place + 1);
  if (value.empty()) value = "true";
  return fmt::format("unknown option '{}'{}", shown(*option),
                     did_you_mean(meant_by(command, option->substr(0, equals), value)));
}

// What stands before the name of `command`, where nothing after it is wrong.
static std::string before_command(const CLI::App& command, const std::vector<std::string>& arguments) {
  return fmt::format("'{}' stands before the command; its options come after it: seqgrad {} ...",
                     shown(arguments.at(1)), command.get_name());
}

// The first thing that `command` requires and was not given: perhaps under a name that was mistyped.
static std::string missing(const CLI::App& command, const std::vector<std::string>& arguments) {
  const std::vector<std::string> rest = command.remaining();
  if (std::any_of(rest.begin(), rest.end(), is_option)) return unexpected(command, arguments);
  for (const CLI::Option* o : command.get_options())
    if (o->get_required() && o->count() == 0)
      return (o->get_positional() ? "" : o->get_name() + " ") + o->get_type_name() + " is missing";
  return "something is missing";
}

std::string usage_problem(const CLI::App& app, const CLI::ParseError& error,
                          const std::vector<std::string>& arguments) {
  const auto chosen = app.get_subcommands();
  if (chosen.empty()) return no_command(app, arguments) + " (see seqgrad --help)";
  const CLI::App& command = *chosen.front();
  const std::string help = fmt::format(" (see seqgrad {} --help)", command.get_name());
  std::string message = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error))
    message = command.remaining().empty() ? before_command(command, arguments) : unexpected(command, arguments);
  if (dynamic_cast<const CLI::RequiredError*>(&error)) message = missing(command, arguments);
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

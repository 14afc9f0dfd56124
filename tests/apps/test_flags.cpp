// The options of every sub-command: what each refuses, in whose words; and that each of them occurs in a test.
#include <test_paths.h>
#include <CLI/CLI.hpp>
#include <map>
#include <regex>
#include <set>

#include "apps/command.h"
#include "engine/core/error.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
namespace fs = std::filesystem;

namespace {

using Names = std::set<std::string>;

std::string name_of(const CLI::Option& option) {
  return option.get_lnames().empty() ? "-" + option.get_snames()[0] : "--" + option.get_lnames()[0];
}

// Every option of a sub-command with a name, in all its spellings.
template <class F>
void for_each_option(const F& f) {
  for (const auto& [name, command] : commands()) {
    CLI::App app;
    const auto options = command.declare(OptionSet(app));  // which it owns
    for (const CLI::Option* option : app.get_options())
      if (!option->get_positional()) f(name, *option);
  }
}

// A statement of a test's source: the texts of its literals, joined, and its names.
struct Statement {
  std::string texts;
  Names words;          // identifiers
  Names commands;       // the sub-commands that a command line in its literals begins with
  std::string defines;  // the function or variable whose value this is
};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// Cuts a source at ';', '{' and '}' outside of literals and comments.
std::vector<Statement> statements(const std::string& source) {
  std::vector<Statement> out;
  std::string code, texts, function;
  Names commands_here;
  const auto begin_of_line = [&](const std::string& text) {
    const std::string first = text.substr(0, text.find(' '));
    if (commands().count(first)) commands_here.insert(first);
    static const std::regex called("seqgrad ([a-z]+)");
    for (auto m = std::sregex_iterator(text.begin(), text.end(), called); m != std::sregex_iterator(); ++m)
      if (commands().count((*m)[1])) commands_here.insert((*m)[1]);
  };
  const auto end = [&](char by) {
    Statement s{texts, {}, commands_here, ""};
    for (size_t i = 0; i < code.size();) {
      size_t n = i;
      while (n < code.size() && is_word(code[n])) ++n;
      if (n > i) s.words.insert(code.substr(i, n - i));
      i = std::max(n, i + 1);
    }
    static const std::regex header("(\\w+)\\s*\\([^()]*\\)\\s*(const)?\\s*$"), variable("(\\w+)\\s*=[^=]");
    std::smatch m;
    if (by == '{' && std::regex_search(code, m, header) && !Names{"if", "for", "while", "switch"}.count(m[1]))
      function = m[1];
    if (std::regex_search(code, m, variable)) s.defines = m[1];
    if (by == '{' && !s.defines.empty()) function = s.defines;  // of a lambda
    if (s.words.count("return")) s.defines = function;
    out.push_back(s);
    code.clear(), texts.clear(), commands_here.clear();
  };
  for (size_t i = 0; i < source.size(); ++i) {
    const char c = source[i];
    if (c == '/' && i + 1 < source.size() && source[i + 1] == '/') {
      i = std::min(source.find('\n', i), source.size());
    } else if (c == '\'' && i > 0 && !is_word(source[i - 1])) {
      i += source[i + 1] == '\\' ? 3 : 2;
    } else if (c == '"') {
      std::string text;
      for (++i; i < source.size() && source[i] != '"'; ++i) text += source[i] == '\\' ? source[++i] : source[i];
      begin_of_line(text);
      texts += text + " ";
    } else if (c == ';' || c == '{' || c == '}') {
      end(c);
    } else {
      code += c;
    }
  }
  end(';');
  return out;
}

// The flags that command lines of each sub-command have in a test's source. A line may begin in a function or variable
// of the same file (`tiny("--max-steps 4")`), whose statement names the sub-command.
void collect_from_source(const std::string& source, std::map<std::string, Names>& used) {
  std::vector<Statement> all = statements(source);
  std::map<std::string, Names> defined;
  for (int round = 0; round < 3; ++round)
    for (Statement& s : all) {
      for (const std::string& w : s.words)
        if (defined.count(w) && w != s.defines) s.commands.insert(defined[w].begin(), defined[w].end());
      if (!s.defines.empty() && !s.commands.empty()) defined[s.defines].insert(s.commands.begin(), s.commands.end());
    }
  static const std::regex flag("(^|[\\s'])(--?[a-z][a-z-]*)");
  for (const Statement& s : all)
    for (auto m = std::sregex_iterator(s.texts.begin(), s.texts.end(), flag); m != std::sregex_iterator(); ++m)
      for (const std::string& command : s.commands) used[command].insert((*m)[2]);
}

// Lines of a shell script, or of the blocks of README.md, that call the executable or scripts/train.sh.
void collect_from_shell(const std::string& text, std::map<std::string, Names>& used) {
  static const std::regex call("(seqgrad ([a-z]+)|scripts/train\\.sh) ([^|;\n]*)"), flag("(^| )(--?[a-z][a-z-]*)");
  for (auto m = std::sregex_iterator(text.begin(), text.end(), call); m != std::sregex_iterator(); ++m) {
    const std::string command = (*m)[2].matched ? (*m)[2].str() : "train", rest = (*m)[3];
    for (auto f = std::sregex_iterator(rest.begin(), rest.end(), flag); f != std::sregex_iterator(); ++f)
      used[command].insert((*f)[2]);
  }
}

}  // namespace

TEST_CASE("a command line is found where a test spells it, and only there") {
  std::map<std::string, Names> used;
  collect_from_source(
      "std::string run(const std::string& more) { return std::string(\"train a.yaml --seed 3 \") + more; }\n"
      "void f() { const auto info = [&](const std::string& o) { return run_seqgrad(dir, \"info \" + o); }; "
      "info(\"-v\");\n"
      "run_seqgrad(dir, \"data x --head 3\" + y); g(run(\"--max-steps 3 -q\")); other(\"--ref x\"); }\n"
      "// run_seqgrad(dir, \"info --ops\");\n",
      used);
  CHECK(used == std::map<std::string, Names>{
                    {"train", {"--seed", "--max-steps", "-q"}}, {"data", {"--head"}}, {"info", {"-v"}}});
  used.clear();
  collect_from_shell("build/seqgrad data x --head 3 | wc --lines\nscripts/train.sh x --max-steps 2\n", used);
  CHECK(used == std::map<std::string, Names>{{"train", {"--max-steps"}}, {"data", {"--head"}}});
}

TEST_CASE("every flag that --help prints occurs in a test, on a command line of its sub-command") {
  std::map<std::string, Names> used;
  std::string shared;  // a test's command line may begin in a header
  for (const auto& entry : fs::directory_iterator(SEQGRAD_SOURCE_DIR "/tests/support")) shared += slurp(entry.path());
  for (const auto& entry : fs::recursive_directory_iterator(SEQGRAD_SOURCE_DIR "/tests"))
    if (entry.path().extension() == ".cpp") collect_from_source(shared + slurp(entry.path()), used);
  for (const char* file : {"README.md", ".ci/run"})
    collect_from_shell(slurp(fs::path(SEQGRAD_SOURCE_DIR) / file), used);
  int flags = 0;
  for_each_option([&](const std::string& command, const CLI::Option& option) {
    bool found = name_of(option) == "--help";  // test_cli asks each for it
    for (const std::string& n : option.get_lnames()) found |= used[command].count("--" + n) > 0;
    for (const std::string& n : option.get_snames()) found |= used[command].count("-" + n) > 0;
    const std::string untested = "seqgrad " + command + " " + name_of(option);
    CAPTURE(untested);
    CHECK(found);
    ++flags;
  });
  CHECK(flags > 60);
  WARN(flags << " flags of " << commands().size() << " sub-commands");
}

TEST_CASE("a wrong value of an option is refused by its name, with what to write and what stood there") {
  int refused = 0;
  for_each_option([&](const std::string& command, const CLI::Option& option) {
    if (option.get_items_expected_max() == 0) return;
    for (const std::string bad :
         {"nonsense", "", "1e3", "1.5", "0x10", "-1", "99999999999999999999", "nan", " 1", "1 "}) {
      CAPTURE(command, name_of(option), bad);
      CLI::App app("", "seqgrad");
      CLI::App* sub = app.add_subcommand(command, "");
      const auto options = commands().at(command).declare(OptionSet(*sub));
      for (CLI::Option* o : sub->get_options()) o->required(false);
      std::vector<std::string> arguments{"seqgrad", command, name_of(option) + "=" + bad};
      if (bad.empty()) arguments.back().pop_back(), arguments.push_back("");
      std::vector<std::string> reversed(arguments.rbegin(), arguments.rend() - 1);
      try {
        app.parse(reversed);
      } catch (const CLI::ParseError& e) {
        const std::string said = usage_problem(app, e, arguments);
        CAPTURE(said);
        CHECK(said.starts_with(command + ": " + name_of(option) + ": expected "));
        CHECK(has(said, ", got '" + bad + "' (see seqgrad " + command + " --help)"));
        ++refused;
      } catch (const InputError& e) {  // any text may be its value, but not beside the command's other arguments
        CHECK(has(e.what(), command + " step: " + name_of(option) + " belongs to " + command));
      }
    }
  });
  CHECK(refused > 60);
}

TEST_CASE("numbers on the command line are whole-string parses") {
  for (const char* good : {"1", "256", "17"}) CHECK(whole(1, 256)(std::string(good)).empty());
  CHECK(whole(0)(std::string("9223372036854775807")).empty());
  CHECK(whole(0)(std::string("9223372036854775808")) ==
        "expected a whole number from 0 to 9223372036854775807, got '9223372036854775808'");
  CHECK(whole(1)(std::string("99999999999999999999")) ==
        "expected a whole number from 1 to 9223372036854775807, got '99999999999999999999'");
  CHECK(whole(1)(std::string("-99999999999999999999")) ==
        "expected a whole number of at least 1, got '-99999999999999999999'");
  CHECK(whole(1, 256)(std::string("257")) == "expected a whole number from 1 to 256, got '257'");
  CHECK(number(0, 1)(std::string("0.25")).empty());
  CHECK(number(0, 1)(std::string("1.5")) == "expected a number from 0 to 1, got '1.5'");
  CHECK(number(0, 1)(std::string("\x1b[1m")) == "expected a number from 0 to 1, got '\\x1b[1m'");
}

// A variable of a shell that is not set.
TEST_CASE("no option and no argument takes an empty value") {
  const auto said = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "seqgrad");
    return error_of([&] { parse_command_line(arguments); });
  };
  const auto refuses = [](const std::string& message, const std::string& command, const std::string& name) {
    return message.starts_with("2 " + command + ": " + name + ": expected ") && has(message, ", got ''");
  };
  int seen = 0;
  for (const auto& [command, registered] : commands()) {
    CLI::App app;
    const auto options = registered.declare(OptionSet(app));
    for (const CLI::Option* o : app.get_options()) {
      if (o->get_items_expected_max() == 0) continue;
      ++seen;
      const std::string name = o->get_positional() ? o->get_name() : name_of(*o);
      CAPTURE(command, name);
      std::vector<std::string> line{command};
      if (!o->get_positional()) line.push_back(name);
      line.insert(line.end(), static_cast<size_t>(std::max(1, o->get_items_expected_min())), "");
      CHECK(refuses(said(line), command, name));
      if (o->get_positional() || o->get_items_expected_min() > 1) continue;
      CHECK(refuses(said({command, name + "=", "--none"}), command, name));
      CHECK(refuses(said({command, name + "="}), command, name));
    }
  }
  CHECK(seen > 60);
  CHECK(said({"explain", "a.yaml", "--html", ""}) ==
        "2 explain: --html: expected FILE|DIR, got '' (see seqgrad explain --help)");
}

TEST_CASE("a command line that is wrong is told what it should be") {
  const auto said = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "seqgrad");
    return error_of([&] { parse_command_line(arguments); });
  };
  CHECK(said({}).starts_with("2 a command is needed: bench, check, complete, config, conform, data, "));
  CHECK(said({"trian", "x"}) == "2 unknown command 'trian'; did you mean 'train'? (see seqgrad --help)");
  CHECK(said({"--resume", "x"}).starts_with("2 unknown option '--resume'; a command comes first: bench, "));
  CHECK(said({"--quiet", "train", "a.yaml"}) ==
        "2 train: '--quiet' stands before the command; its options come after it: seqgrad train ... (see seqgrad train "
        "--help)");
  CHECK(said({"train", "a.yaml", "--max-step", "3"}) ==
        "2 train: unknown option '--max-step'; did you mean '--max-steps'? (see seqgrad train --help)");
  CHECK(said({"data", "a", "b"}) == "2 data: unexpected argument 'b' (see seqgrad data --help)");
  CHECK(said({"data"}) == "2 data: CONFIG.yaml is missing (see seqgrad data --help)");
  CHECK(said({"record"}) == "2 record: CASE is missing (see seqgrad record --help)");
  CHECK(said({"record", "a", "--bless"}) == "2 record: --reason TEXT is missing (see seqgrad record --help)");
  CHECK(said({"record", "a", "--bless", "--reson", "x"}) ==
        "2 record: unknown option '--reson'; did you mean '--reason'? (see seqgrad record --help)");
  CHECK(said({"record", "--bles"}) ==
        "2 record: unknown option '--bles'; did you mean '--bless'? (see seqgrad record --help)");
  CHECK(said({"train", "--threads"}) == "2 train: --threads: N is missing after it (see seqgrad train --help)");
  CHECK(said({"data", "a", "--head", "1", "--head", "2"}) ==
        "2 data: --head: given 2 times; once is enough (see seqgrad data --help)");
  CHECK(said({"bench", "step", "--json=-\x01"}) ==
        "2 bench: --json: takes no value, got '-\\x01' (see seqgrad bench --help)");
  CHECK(said({"train", "--resume", "a", "--run-dir", "b"}) ==
        "2 train: --resume does not go with --run-dir (see seqgrad train --help)");
  CHECK(has(said({"evaluate", "a", "--src", "b", "--ref", "c", "--split", "dev"}), "--split does not go with --src"));
  CHECK(has(said({"data", "a", "--all", "--head", "3"}), "--head does not go with --all"));
  CHECK(said({"bench", "step", "--rows", "3"}) == "2 bench step: --rows belongs to bench loss, decode");
  CHECK(said({"bench", "gru", "--phases"}) == "2 bench gru: --phases belongs to bench step");
  CHECK(said({"bench", "loss", "--axis", "V=3"}) == "2 bench loss: --axis belongs to bench step, gru, products");
  CHECK(said({"bench", "step", "--class-weights"}) == "2 bench step: --class-weights belongs to bench loss");
  CHECK(said({"bench", "loss", "--attention", "dot"}) == "2 bench loss: --attention belongs to bench step");
  CHECK(said({"train", std::string(5000, 'x'), "--\x1b" + std::string(5000, 'y')}).size() < 400);
}

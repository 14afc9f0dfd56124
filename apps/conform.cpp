// `seqgrad conform`: holds a program's loss against the one that is meant, and says in words which loss it is.
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <random>

#include "apps/command.h"
#include "engine/conform/conform.h"
#include "engine/conform/session.h"
#include "engine/io/directories.h"
#include "engine/io/output.h"
#include "engine/io/signals.h"
#include "engine/io/terminal.h"
#include "engine/text/numbers.h"

namespace seqgrad {
namespace {

struct Options {
  std::vector<std::string> program, only, skip;
  std::string means, sizes, junit, html, save;
  std::optional<uint64_t> seed;
  int64_t batches = 40;
  double time = 10;
  bool stdio = false, json = false, strict = false, verbose = false;
};

std::set<std::string> property_set(const std::vector<std::string>& names, const char* option) {
  const std::vector<std::string> known = property_ids();
  for (const std::string& n : names)
    if (std::find(known.begin(), known.end(), n) == known.end())
      refuse("{}: no property '{}'; {}", option, shown(n), not_among(known, n));
  return {names.begin(), names.end()};
}

DrawOptions draw_options(const Options& o) {
  DrawOptions d;
  d.seed = o.seed ? *o.seed : std::random_device{}() % 1000000;  // short enough to be typed
  d.count = static_cast<int>(o.batches);
  if (o.sizes.empty()) return d;
  int used = 0;
  long long b = 0, t = 0, v = 0;
  if (std::sscanf(o.sizes.c_str(), "%lld,%lld,%lld%n", &b, &t, &v, &used) != 3 ||
      used != static_cast<int>(o.sizes.size()) || b < 2 || t < 3 || v < 3 || b > 64 || t > 256 || v > 4096)
    refuse("--sizes: expected B,T,V from 2,3,3 to 64,256,4096, got '{}'", shown(o.sizes));
  d.batch = b, d.steps = t, d.classes = v;
  return d;
}

// The folder itself, or the one above it in which it would be made.
std::string nearest_folder(const std::string& path) {
  std::filesystem::path at = std::filesystem::absolute(path);
  std::error_code ignored;
  while (at.has_relative_path() && !std::filesystem::exists(at, ignored)) at = at.parent_path();
  if (!std::filesystem::is_directory(at, ignored)) refuse("--save: {} is no folder", shown_path(at.string()));
  return at.string();
}

std::string broken_list(const ConformReport& r) {
  std::string out;
  for (const PropertyResult& p : r.properties)
    if (p.verdict == Verdict::broken) out += (out.empty() ? "" : ",") + p.id;
  return out;
}

// Everything that the run leaves behind: files, the page, the cases.
void write_files(const Options& o, const ConformReport& r, const std::optional<LossMeaning>& meant) {
  if (!o.junit.empty()) write_output(o.junit, report_junit(r));
  if (!o.html.empty()) write_output(o.html, report_page(r));
  if (!o.save.empty())
    for (const std::string& folder : save_cases(r, meant, o.save)) note("saved " + shown_path(folder));
}

// What cannot be written is refused before the program is asked anything.
void check_outputs(const Options& o) {
  try {
    for (const std::string* file : {&o.junit, &o.html})
      if (!file->empty()) check_named_output(*file);
    if (!o.save.empty()) check_named_output((std::filesystem::path(nearest_folder(o.save)) / "case").string());
  } catch (const SystemError& e) {
    refuse("conform: {}", e.what());
  }
  if (o.save.empty()) return;
  if (const std::vector<std::string> older = list_directory(o.save); !older.empty())
    note(fmt::format("--save: {} holds {} already; cases of the same name are replaced, the others stay",
                     shown_path(o.save), counted(static_cast<int64_t>(older.size()), "entry", "entries")));
}

// One line on a terminal that says what is waited for, and goes.
class WaitingLine {
 public:
  explicit WaitingLine(bool wanted) : is_shown_(wanted && is_smart_terminal(STDERR_FILENO)) {}
  ~WaitingLine() { clear(); }
  WaitingLine(const WaitingLine&) = delete;
  WaitingLine& operator=(const WaitingLine&) = delete;

  bool is_shown() const { return is_shown_; }
  void show(const std::string& what) const {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin_;
    fmt::print(stderr, "{}waits for {}, {:.0f} s so far", erase_line, what, passed.count());
    std::fflush(stderr);
  }
  void clear() const {
    if (is_shown_) fmt::print(stderr, "{}", erase_line);
  }

 private:
  static constexpr const char* erase_line = "\r\x1b[K";
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  bool is_shown_;
};

int talk(const Options& o, Connection& connection, ConformOptions options) {
  WaitingLine progress(!o.stdio && !o.verbose);
  Onlooker onlooker;
  if (progress.is_shown()) onlooker.asks = [&](const std::string& what) { progress.show(what); };
  if (o.verbose) onlooker.answered = [](const std::string& line) { note(line); };
  Session session = [&] {
    try {
      return Session(connection, o.time, onlooker);
    } catch (const ProgramFault& e) {
      if (e.fault == Fault::stopped) throw;
      refuse("conform: before its hello {}", e.what());
    }
  }();
  ConformReport report = conform(session, options);
  progress.clear();
  report.rounds = session.rounds();
  report.answers = session.answer_seconds();
  report.repeat = options.repeat + (broken_list(report).empty() ? "" : " --only " + broken_list(report));
  const std::string text = report_text(report, o.verbose), json = report_json(report);
  Metadata done{{"done", "1"}, {"exit", fmt::format("{}", report.exit)}, {"report", json}, {"text", text}};
  if (o.stdio) done["html"] = report_page(report);
  session.say_goodbye(done, report.smallest ? wire_tensors(report.program, report.smallest->batch, report.dtype)
                                            : std::vector<WireTensor>{});
  if (!o.stdio && o.json) fmt::print("{}\n", json);
  if (!o.stdio && !o.json) print_text(text + (o.html.empty() ? "" : "page: " + shown_path(o.html) + "\n"));
  write_files(o, report, options.meant);  // after the report is told: a full disk takes none of it
  return report.exit;
}

int run(const Options& o) {
  if (o.stdio != o.program.empty())
    refuse("conform: give a program after --, or --stdio where a parent speaks the protocol");
  if (o.stdio && (isatty(STDIN_FILENO) || isatty(STDOUT_FILENO)))
    refuse("conform: --stdio is for a program that starts seqgrad; a terminal speaks no protocol");
  ConformOptions options;
  if (!o.means.empty()) options.meant = meaning_of(o.means);
  options.draw = draw_options(o);
  options.only = property_set(o.only, "--only");
  options.skip = property_set(o.skip, "--skip");
  options.strict = o.strict;
  options.keeps_answers = !o.save.empty();
  options.repeat = fmt::format("--seed {}", options.draw.seed);
  check_outputs(o);
  catch_stop_signals();
  try {
    if (o.stdio) {
      Connection parent;
      return talk(o, parent, options);
    }
    Connection program(o.program);
    return talk(o, program, options);
  } catch (const ProgramFault&) {
    if (!stop_signal()) throw;
    note("conform: stopped by a signal; there is no report");
    return 128 + stop_signal();
  }
}

std::function<int()> declare(OptionSet app) {
  auto o = std::make_shared<Options>();
  app.add_option("program", o->program, "The program under test and its arguments, after --")
      .type_name("-- PROGRAM ARGS");
  app.add_option("--means", o->means,
                 "The loss that is meant: a preset (tfa.sequence_loss[sum_over_timesteps], trl.dr_grpo[k=10]), or a "
                 "YAML file with a loss section")
      .type_name("PRESET|FILE");
  app.add_flag("--stdio", o->stdio,
               "Speak the protocol on standard input and output, with the parent that started seqgrad");
  app.add_option("--seed", o->seed, "Seed of the batches; printed, and repeats everything")
      .type_name("N")
      .check(whole(0));
  app.add_option("--batches", o->batches, "Batches whose values are compared (40)")
      .type_name("N")
      .check(whole(1, 1000));
  app.add_option("--sizes", o->sizes, "Upper bounds of examples, steps and classes (6,9,11)").type_name("B,T,V");
  app.add_option("--time", o->time, "Seconds that a round may take (10)").type_name("SECONDS").check(number(0.01, 1e6));
  app.add_option("--only", o->only, "Try these properties only").type_name("PROPERTY,…").delimiter(',');
  app.add_option("--skip", o->skip, "Leave these properties out").type_name("PROPERTY,…").delimiter(',');
  app.add_flag("--strict", o->strict, "Notes count as broken properties");
  app.add_option("--junit", o->junit, "Write a report for CI servers").type_name("FILE");
  app.add_option("--html", o->html, "Write one page that opens from disk").type_name("FILE");
  app.add_option("--save", o->save, "Save the batches that show a fault as cases for check, explain and gradcheck")
      .type_name("DIR");
  app.add_flag("--json", o->json, "Print the report as one JSON object");
  app.add_flag("-v,--verbose", o->verbose, "Print every round, the smallest batch and the time");
  return [o] { return run(*o); };
}

const bool registered = register_command({"conform",
                                          "Say which loss a program of yours really computes",
                                          "seqgrad conform --means torch.mean -- python3 my_adapter.py",
                                          declare,
                                          {"conformance", "test-loss"}});

}  // namespace
}  // namespace seqgrad

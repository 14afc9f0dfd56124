// `seqgrad explain`: what masks and weights do to the loss of one small batch.
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "apps/command.h"
#include "engine/io/output.h"
#include "engine/io/terminal.h"
#include "engine/run/first_batch.h"
#include "engine/teach/course.h"
#include "engine/teach/explain_page.h"
#include "engine/text/escape.h"
#include "engine/text/numbers.h"

namespace seqgrad {
namespace {

struct Options {
  CommonOptions common;
  std::string path, experiment, predict, html;
  std::vector<std::string> modes;
  std::optional<int64_t> sentences;
  bool json = false, answer = false;
};

void hint(const Options& o, const std::string& text) {
  if (!o.common.quiet) note(text);
}

// Says why none that was asked for applies to the batch.
[[noreturn]] void refuse_experiment(const Options& o, const Explanation& e) {
  const bool others = !e.experiments.empty() || !run_experiments(e.batch).empty();
  if (o.experiment != "all")
    refuse("explain: experiment '{}' does not apply: {}; {}", o.experiment, why_not(e.batch, o.experiment),
           others ? "`--experiment all` shows those that do" : "nor does any other");
  const std::string why = e.batch.row_loss ? why_not(e.batch, experiment_kinds().front().id) : e.error;
  refuse("explain: no experiment applies to this batch{}{}", why.empty() ? "" : ": ", why);
}

// Those that were asked for: a lesson's own on the batch that can show them, others on the batch as it stands.
std::vector<Experiment> experiments(const Options& o, const Explanation& e) {
  const bool all = o.experiment == "all";
  std::vector<Experiment> out;
  for (const Experiment& x : e.experiments)
    if (all || x.id == o.experiment) out.push_back(x);
  for (Experiment& x : run_experiments(e.batch, all ? "" : o.experiment))
    if (std::none_of(out.begin(), out.end(), [&](const Experiment& has) { return has.id == x.id; }))
      out.push_back(std::move(x));
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  if (out.empty()) refuse_experiment(o, e);
  return out;
}

int show(const Options& o, const Explanation& e) {
  std::error_code error;
  if (!o.html.empty() && std::filesystem::is_directory(o.html, error))
    refuse("--html: {} is a folder; write {}", shown_path(o.html),
           shown_path((std::filesystem::path(o.html) / (page_stem(o.path) + ".html")).string()));
  if (!o.html.empty()) {
    check_named_output(o.html);
    write_output(o.html, explain_page(e));
  }
  if (o.json)
    fmt::print("{}\n", to_json(e, is_terminal(STDOUT_FILENO)));
  else if (!o.html.empty())
    hint(o, fmt::format("written: {}", shown_path(o.html)));
  else if (!o.experiment.empty())
    for (const Experiment& x : experiments(o, e)) print_text(to_text(x) + "\n");
  else if (e.subject.kind == "lesson")
    print_text(lesson_text(e, o.answer));
  else
    print_text(to_text(e));
  if (e.subject.kind == "lesson" && !o.answer && !o.json && o.html.empty() && o.experiment.empty())
    hint(o, "your number:  " + command_line({"explain", o.path, "--predict", "NUMBER"}));
  return 0;
}

int predict(const Options& o) {
  if (o.json || o.answer || !o.html.empty() || !o.experiment.empty() || !o.modes.empty())
    refuse("explain: --predict judges one number; --json, --html, --answer, --experiment and --mode go without it");
  const Guess guess = judge(o.path, o.predict);
  for (const std::string& line : guess.lines) print_text(line + "\n");
  if (guess.right)
    print_text("\n" + lesson_text(explain_lesson(o.path, {}), true));
  else
    hint(o, "why:  " + command_line({"explain", o.path, "--answer"}));
  return static_cast<int>(guess.right ? ExitCode::done : ExitCode::no);
}

int course(const Options& o) {
  const std::vector<std::string> lessons = find_lessons(o.path);
  if (o.json || o.answer || !o.predict.empty() || !o.experiment.empty() || !o.modes.empty())
    refuse("explain: {} is a folder; --json, --answer, --predict, --experiment and --mode go with one of its lessons",
           shown_path(o.path));
  if (o.html.empty()) {
    for (const std::string& path : lessons)
      print_text(fmt::format("{}\n  {}\n", for_terminal(path), for_terminal(read_case(path).config->about())));
    return 0;
  }
  write_course(lessons, o.html);
  hint(o, fmt::format("{}; begin with {}", counted(static_cast<int64_t>(lessons.size()), "lesson"),
                      shown_path(o.html + "/index.html")));
  return 0;
}

int config_batch(const Options& o) {
  if (o.answer || !o.predict.empty())
    refuse("explain: --predict and --answer go with a lesson, and {} is a config", shown_path(o.path));
  Config config;
  std::vector<std::string> overrides = o.common.overrides();
  overrides.emplace_back("precision=fp64");
  config.reads_files = true;
  load(config, o.path, overrides);
  const FirstBatch batch = first_batch(config, o.path, o.sentences.value_or(3));
  o.common.tell(batch.data);
  return show(o, explain(batch.batch, batch.subject, {o.modes}));
}

int explain_it(const Options& o) {
  const bool case_given = is_case(o.path);
  std::error_code error;
  const bool folder = !case_given && std::filesystem::is_directory(o.path, error);
  if ((case_given || folder) && (!o.common.overrides().empty() || o.sentences))
    refuse("explain: --set, --seed, --device, --threads and --sentences go with a config, and {} is a {}",
           shown_path(o.path), folder ? "folder" : "case");
  if (folder) return course(o);
  if (!case_given) return config_batch(o);
  const LossCase c = read_case(o.path);
  o.common.tell(fmt::format("case {}: {}, {}", shown_path(c.where),
                            counted(static_cast<int64_t>(c.tensors.size()), "tensor"), name_of(c.dtype())));
  const bool lesson = !c.config->question().empty();
  if (!lesson && (o.answer || !o.predict.empty()))
    refuse("explain: --predict and --answer go with a lesson, and {} asks no question", shown_path(o.path));
  if (!o.predict.empty()) return predict(o);
  if (lesson && !o.modes.empty() && !o.json && o.html.empty())
    refuse("explain: the text of a lesson shows no presets; --mode goes with its --json or --html");
  return show(o, lesson ? explain_lesson(o.path, {o.modes}) : explain(c, {o.modes}));
}

std::function<int()> declare(OptionSet app) {
  auto o = std::make_shared<Options>();
  app.add_option("path", o->path, "A case or lesson, a config (its first batch), or a folder of lessons")
      .required()
      .type_name("CONFIG|CASE|LESSON|FOLDER");
  app.add_option("--mode", o->modes, "Show these presets only (seqgrad info --presets)")
      .type_name("PRESET,…")
      .delimiter(',');
  app.add_option("--experiment", o->experiment, "Show an experiment on this batch, by its name, or all of them")
      .type_name("EXPERIMENT|all");
  app.add_option("--predict", o->predict,
                 "Of a lesson: say whether this is the number, or by which mistake one gets it")
      .type_name("NUMBER");
  app.add_flag("--answer", o->answer, "Of a lesson: show its answer, repair and experiments");
  app.add_option("--sentences", o->sentences, "Of a config: sentences in the batch (3)")
      .type_name("N")
      .check(whole(1, 64));
  app.add_flag("--json", o->json, "Print one JSON object with every number that is shown");
  app.add_option(
         "--html", o->html,
         "Write one page that opens from disk, on which masks and weights can be edited; of a folder of lessons "
         "a directory with all of them")
      .type_name("FILE|DIR");
  o->common.declare(app);
  return [o] { return explain_it(*o); };
}

const bool registered = register_command({"explain",
                                          "What masks and weights do to the loss of one small batch",
                                          "seqgrad explain configs/lessons/01_padding.yaml --html lesson.html",
                                          declare,
                                          {"teach", "lesson", "lessons", "visualize"}});

}  // namespace
}  // namespace seqgrad

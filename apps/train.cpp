// `seqgrad train`: a new run, or a stopped one resumed.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>

#include "apps/command.h"
#include "engine/config/describe.h"
#include "engine/data/data_notes.h"
#include "engine/data/surface.h"
#include "engine/io/directories.h"
#include "engine/io/folder_name.h"
#include "engine/io/output.h"
#include "engine/io/signals.h"
#include "engine/run/loaded_run.h"
#include "engine/run/record.h"
#include "engine/run/resume.h"
#include "engine/run/run_directory.h"
#include "engine/run/run_files.h"
#include "engine/run/setup.h"
#include "engine/train/loss_sources.h"
#include "engine/train/results.h"

namespace seqgrad {
namespace {

struct Options {
  CommonOptions common;
  std::string config, resume, runs = "runs";
  std::optional<std::string> run_dir;
  std::optional<int64_t> max_steps;
  bool dry_run = false, accept_changed_data = false;
};

void print_model(SequenceModel& model) {
  for (const Parameter& p : model.store().parameters())
    fmt::print("{:<32} {:>16} {:>12}\n", p.name, p.file_shape().str(), p.shape.numel());
  fmt::print("{:<32} {:>16} {:>12}\n", "parameters", "", model.store().count());
}

// What the next step would begin with.
int dry_run(const Config& config, const Setup& s, const TrainState& state = {}) {
  print_model(*s.model);
  Batcher batcher(s.data.train, batch_options(config));
  batcher.seek({state.epoch, state.index});
  std::vector<Batch> batches;
  while (static_cast<int64_t>(batches.size()) < config.train.accumulation()) batches.push_back(batcher.next());
  const StepResult r = accumulate_gradients(*s.model, s.loss, batches,
                                            {true, static_cast<uint64_t>(config.seed()),
                                             static_cast<uint64_t>(state.step + 1), 0, config.train.teacher_forcing()});
  const auto mb = [](size_t bytes) { return static_cast<double>(bytes) / 1e6; };
  fmt::print("memory: {:.1f} MB parameters, gradients and moments; {:.1f} MB for one batch\n",
             4 * mb(s.model->store().values().bytes()), mb(Tape::current().high_water()));
  int64_t sentences = 0;
  for (const Batch& b : batches) sentences += b.batch;
  const std::string which = batches.size() == 1 ? "batch" : fmt::format("step of {} batches", batches.size());
  fmt::print("{} {}: {} sentences, {} target tokens, padding {:.0f} %, loss {}\n", state.step == 0 ? "first" : "next",
             which, sentences, r.target_tokens,
             100 * (1 - static_cast<double>(r.target_tokens) / static_cast<double>(r.positions)),
             printed_loss(r.loss.value(s.loss.options), s.loss.options, 4));
  for (size_t i = 0; i < r.compared.size(); ++i)
    fmt::print("  beside it: {} {}\n", s.loss.compare[i].name,
               printed_loss(r.compared[i].value(s.loss.compare[i].options), s.loss.compare[i].options, 4));
  return 0;
}

// How the run did on the test splits, one line each.
std::vector<std::string> test_lines(const Config& config, const TrainJob& job, Trainer& trainer) {
  if (job.data.test.size() == 0) return {};
  const Evaluation e =
      evaluate(job.model, job.loss, job.data.test, *job.data.target, job.decode, score_options(config));
  const Task* task = task_of(config.data);
  trainer.record_result("test", e);
  std::string line =
      fmt::format("test: {} sentences{}: {}  loss {}", with_commas(e.sentences), task ? task->test_note : "",
                  scores_text(e), printed_loss(e.loss_value, job.loss.options));
  if (task && task->baselines)
    for (const auto& [name, share] : task->baselines(task_options(config.data, static_cast<uint64_t>(config.seed())),
                                                     job.data.train.pairs, job.data.test.pairs))
      line += fmt::format(" | {} {:.0f} %", name, 100 * share);
  std::vector<std::string> lines = {line};
  for (const auto& [name, corpus] :
       job.data.reported) {  // what such a model may not be able to do: no part of the test
    const Evaluation r = evaluate(job.model, job.loss, corpus, *job.data.target, job.decode, score_options(config));
    trainer.record_result(name, r);
    lines.push_back(fmt::format("{}: {} sentences: {}", name, with_commas(r.sentences), scores_text(r)));
  }
  return lines;
}

void final_report(const Config& config, const TrainJob& job, Trainer& trainer) {
  load_best(job.run, config.checkpoint.average(), false, job.model);
  const std::vector<std::string> lines = test_lines(config, job, trainer);
  trainer.write_report(lines);
  for (const std::string& line : lines) fmt::print("{}{}\n", &line == &lines[0] ? "" : "      ", line);
  if (job.quiet) return;
  if (std::fflush(stdout) != 0) throw std::system_error(errno, std::generic_category());  // before what follows it
  const Task* task = task_of(config.data);
  const Corpus& shown = job.data.test.size() > 0 ? job.data.test : job.data.dev;
  int64_t at = 0;
  while (at < shown.size() && shown.source.length(at) == 0) ++at;
  if (at < shown.size()) {
    const std::string& first = shown.pairs[static_cast<size_t>(at)].source;
    note(fmt::format("Try:   echo {} | {}", shell_quoted(task && task->sentences ? present(first) : first),
                     command_line({"translate", job.run})));
  }
  note(fmt::format("See:   {}/report.html", job.run));
  const std::string lesson = "configs/lessons/01_padding.yaml";  // in a checkout
  std::error_code ignored;
  note("Learn: " + (std::filesystem::exists(lesson, ignored)
                        ? command_line({"explain", lesson, "--html", "lesson.html"})
                        : command_line({"info", "--presets"})));
}

bool is_free(const std::string& directory) {
  for (const std::string& name : list_directory(directory))
    if (name != ".lock") return false;
  return true;
}

void refuse_taken(const std::string& directory) {
  if (const std::string why = bad_folder_path(directory); !why.empty())
    refuse("--run-dir: expected the path of a new directory, got '{}': {}", shown(directory), why);
  std::error_code ignored;
  if (std::filesystem::exists(directory, ignored) && !std::filesystem::is_directory(directory, ignored))
    refuse("{}: error: is a file; name a new directory", shown_path(directory));
  if (!is_free(directory))
    refuse("{}: error: is not empty; resume it with --resume, or name a new directory", shown_path(directory));
}

// What is not at its default, as --set takes it, in lines of at most `columns` characters where that is possible.
std::string differences_in_lines(const Config& config, size_t columns) {
  std::string out, line;
  for (const Difference& d : changes(config)) {
    const std::string item = shell_quoted(d.key + "=" + d.value);
    if (!line.empty() && line.size() + item.size() + 2 > columns) out += line + "\n", line.clear();
    line += "  " + item;
  }
  return out + line;
}

void describe(const Options& o, const Config& config, const TrainJob& job, const std::string& device) {
  const char* stage = std::getenv("SEQGRAD_STAGE");  // scripts/train.sh counts what it does
  note(fmt::format("{}train: {}, {}", stage ? stage : "", describe_job(job), device));
  const Skipped& skipped = job.data.train.skipped;
  if (skipped.total() > 0)
    note(fmt::format("skipped {} training pair{}: {} blank, {} too long", skipped.total(),
                     skipped.total() == 1 ? "" : "s", skipped.blank, skipped.too_long));
  note(describe_data(job.data));
  for (const std::string& text : job.data.notes) note("warning: " + text);
  for (const std::string& text : loss_notes(config, job.data)) note("warning: " + text);
  if (o.common.verbose) {
    note(resolved_yaml(config));
  } else if (o.resume.empty()) {
    if (const std::string text = differences_in_lines(config, 100); !text.empty()) note(text);
  }
}

// The command that goes on with a run, for a person to copy.
std::string resume_command(const std::string& run) { return command_line({"train", "--resume", run}); }

// A system failure in training, with what the run still has.
[[noreturn]] void failed(const SystemError& e, const std::string& run) {
  const std::string last = last_checkpoint(run + "/checkpoints");
  std::error_code ignored;
  const std::string name = last.empty() ? "" : std::filesystem::canonical(last, ignored).filename().string();
  throw SystemError(fmt::format("{}\n{}; go on with: {}", e.what(),
                                name.empty() ? "no checkpoint was saved yet" : "the last whole checkpoint is " + name,
                                resume_command(run)));
}

// Trains in a directory that this process has locked.
int train_in(Trainer& trainer, const TrainJob& job, const Config& config) {
  Ending ending{};
  try {
    ending = trainer.run();
  } catch (const SystemError& e) {
    failed(e, job.run);
  }
  if (ending == Ending::stopped || ending == Ending::max_steps) {
    note(fmt::format("saved at step {}; go on with: {}", trainer.state().step, resume_command(job.run)));
    return ending == Ending::stopped ? 128 + stop_signal() : 0;
  }
  release_stop_signals();
  final_report(config, job, trainer);
  return 0;
}

// Refuses data that are not those of the run, unless the user takes them; what is changed by that, in words.
std::vector<std::string> check_record(const Options& o, const Data& data, Device device) {
  Found found = compare_with_record(o.resume, data, device);
  for (const std::string& change : found.surroundings)
    if (!o.common.quiet)
      note("warning: " + change + ": the bytes may differ from those of a run that was never stopped");
  if (!found.data.empty() && !o.accept_changed_data) {
    const std::string go_on = command_line({"train", "--resume", o.resume, "--accept-changed-data"});
    refuse("{}/run.json: error: the data have changed since the run began\n{}\ngo on with them as they are now: {}",
           shown_path(o.resume), fmt::join(found.data, "\n"), go_on);
  }
  std::vector<std::string> changes = found.surroundings;
  for (const std::string& change : found.data) changes.push_back("data: " + change);
  return changes;
}

TrainJob job_of(const Options& o, const Config& config, const Setup& s, const std::string& run) {
  return {config, *s.model, s.data, s.loss, config.decode_options(), run, o.max_steps, o.common.quiet};
}

int go_on(const Options& o, const Config& before, const Config& config, const Setup& s) {
  const std::string& run = o.resume;
  std::vector<std::string> changes = check_record(o, s.data, s.settings.device);
  const TrainJob job = job_of(o, config, s, run);
  Trainer trainer(job);
  restore_replaced(run + "/checkpoints");
  trainer.resume(last_checkpoint(run + "/checkpoints"));
  const std::vector<std::string> set = config_changes(before, config);
  if (!set.empty()) write_output(run + "/config.resolved.yaml", resolved_yaml(config, false));
  changes.insert(changes.end(), set.begin(), set.end());
  record_changes(run, trainer.state().step, s.data, s.settings.device, changes);
  if (!o.common.quiet) {
    describe(o, config, job, s.settings.text);
    for (const std::string& change : set) note("  " + change);
    note(trainer.state().step == 0 ? "nothing was saved yet: beginning again at step 0"
                                   : fmt::format("going on at step {}", trainer.state().step));
    if (const std::string jump = rate_jump(before, config, trainer.state(), s.data.train); !jump.empty())
      note("warning: " + jump);
  }
  return train_in(trainer, job, config);
}

int resume(const Options& o) {
  const std::string& run = o.resume;
  if (!o.config.empty()) refuse("train: give a config file or --resume, not both");
  check_resume_overrides(o.common.overrides());
  require_run_directory(run);
  std::optional<RunLock> lock;
  if (!o.dry_run) lock.emplace(run);  // before data are loaded: who comes second is told at once
  Config before, config;
  config.reads_files = true;
  load_run_config(before, run);
  load_run_config(config, run, o.common.overrides());
  const Setup s = set_up(config, Purpose::training, run);
  if (o.dry_run) {
    const std::string last = last_checkpoint(run + "/checkpoints");
    return dry_run(config, s, last.empty() ? TrainState{} : load_checkpoint(last, *s.model));
  }
  catch_stop_signals();
  return go_on(o, before, config, s);
}

int train(const Options& o) {
  if (!o.resume.empty()) return resume(o);
  if (o.config.empty())
    refuse("train: a config file or --resume RUN is needed, e.g. seqgrad train configs/phrases.yaml");
  if (o.accept_changed_data) refuse("train: --accept-changed-data goes with --resume");
  if (o.run_dir) refuse_taken(*o.run_dir);
  Config config;
  config.reads_files = true;
  load(config, o.config, o.common.overrides());
  const Setup s = set_up(config, Purpose::training);
  if (!s.initialised.empty() && !o.common.quiet) note(s.initialised);
  if (o.dry_run) return dry_run(config, s);

  const std::string run = o.run_dir ? *o.run_dir : new_run_directory(o.runs, config.name());
  make_directories(run);
  const RunLock lock(run);
  refuse_taken(run);  // another process may have been quicker
  catch_stop_signals();
  write_run_files(run, config, o.config, s.data, s.settings);
  const TrainJob job = job_of(o, config, s, run);
  Trainer trainer(job);
  if (!o.common.quiet) describe(o, config, job, s.settings.text);
  write_out(config.data, s.data);  // as config.resolved.yaml has it, so that a resumed run's report is the same
  return train_in(trainer, job, config);
}

std::function<int()> declare(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("config", o->config, "Config file (YAML)")->type_name("CONFIG.yaml");
  CLI::Option* resume = app.add_option("--resume", o->resume, "Go on with a stopped run")->type_name("RUN");
  app.add_option("--run-dir", o->run_dir, "Write the run here instead of a new numbered directory under runs/")
      ->type_name("DIR")
      ->excludes(resume);
  app.add_option("--max-steps", o->max_steps, "Stop after this step, without changing the schedule")
      ->type_name("N")
      ->check(whole(1));
  app.add_flag("--accept-changed-data", o->accept_changed_data,
               "With --resume: go on although the data are not those that the run began with");
  app.add_flag("--dry-run", o->dry_run, "Load everything, run one batch, print the model, and stop");
  o->common.declare(app);
  return [o] { return train(*o); };
}

const bool registered = register_command({"train",
                                          "Train a model from a config, or resume a run",
                                          "seqgrad train configs/phrases.yaml --set optim.lr=0.002",
                                          declare,
                                          {"fit", "run", "learn"},
                                          {{"-o", "--run-dir"},
                                           {"--output", "--run-dir"},
                                           {"--output-dir", "--run-dir"},
                                           {"--out", "--run-dir"},
                                           {"--save-dir", "--run-dir"},
                                           {"--model-dir", "--run-dir"},
                                           {"--log-dir", "--run-dir"},
                                           {"--continue", "--resume"},
                                           {"--restart", "--resume"},
                                           {"--restore", "--resume"},
                                           {"--load", "--resume"},
                                           {"--resume-from-checkpoint", "--resume"},
                                           {"--train-from", "--resume"}}});

}  // namespace

}  // namespace seqgrad

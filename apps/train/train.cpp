// `seqgrad train`: a new run, or a stopped one resumed.
#include "apps/train/train.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "apps/shared_processes.h"
#include "engine/comm/together.h"
#include "engine/config/describe.h"
#include "engine/data/data_notes.h"
#include "engine/io/directories.h"
#include "engine/io/folder_name.h"
#include "engine/io/signals.h"
#include "engine/run/run_directory.h"
#include "engine/run/run_files.h"
#include "engine/text/numbers.h"
#include "engine/train/loss_sources.h"

namespace seqgrad {
namespace {

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

}  // namespace

void describe_data(const Config& config, const Data& data) {
  const Skipped& skipped = data.train.skipped;
  if (skipped.total() > 0)
    note(fmt::format("skipped {}: {}", counted(skipped.total(), "training pair"), skipped.text()));
  note(describe_data(data));
  for (const std::string& text : data.notes) note("warning: " + text);
  for (const std::string& text : loss_notes(config, data)) note("warning: " + text);
}

void describe(const TrainCommand& o, const Config& config, const TrainJob& job, const ProcessSettings& settings) {
  const char* stage = std::getenv("SEQGRAD_STAGE");  // scripts/train.sh counts what it does
  note(fmt::format("{}train: {}, {}", stage ? stage : "", describe_job(job), settings.text));
  if (!settings.shared.empty()) note(settings.shared);
  describe_data(config, job.data);
  if (o.common.verbose) {
    note(resolved_yaml(config));
  } else if (o.resume.empty()) {
    if (const std::string text = differences_in_lines(config, 100); !text.empty()) note(text);
  }
}

TrainJob job_of(const TrainCommand& o, const Config& config, const Setup& s, const std::string& run) {
  return {config,         *s.model,       s.data,       s.loss, config.decode_options(), run, o.max_steps,
          o.common.quiet, steady_seconds, *o.processes, o.began};
}

namespace {

// All that is refused before a run begins, but for its directory.
Setup begin(const TrainCommand& o, Config& config) {
  if (o.config.empty())
    refuse("train: a config file or --resume RUN is needed, e.g. seqgrad train configs/phrases.yaml");
  if (o.accept_changed_data) refuse("train: --accept-changed-data goes with --resume");
  config.reads_files = true;
  load(config, o.config, o.common.overrides());
  return set_up(config, Purpose::training, "", *o.processes);
}

int train(const TrainCommand& o) {
  if (!o.resume.empty()) return resume(o);
  Config config;
  Setup s;
  from_first(*o.processes, [&] {
    if (o.run_dir) refuse_taken(*o.run_dir);
    return std::string();
  });
  together(*o.processes, [&] { s = begin(o, config); });
  if (!s.initialised.empty() && !o.common.quiet) note(s.initialised);
  if (o.dry_run) {
    if (!o.common.quiet) describe_data(config, s.data);
    return dry_run(o, config, s);
  }

  std::optional<RunLock> lock;
  const std::string run = from_first(*o.processes, [&] {
    const std::string path = o.run_dir ? *o.run_dir : new_run_directory(o.runs, config.name());
    make_directories(path);
    lock.emplace(path);
    refuse_taken(path);  // another process may have been quicker
    return path;
  });
  catch_stop_signals();
  if (o.writes()) write_run_files(run, config, o.config, s.data, s.loss, s.settings);
  const TrainJob job = job_of(o, config, s, run);
  Trainer trainer(job);
  if (!o.common.quiet) describe(o, config, job, s.settings);
  write_out(config.data, s.data);  // as config.resolved.yaml has it, so that a resumed run's report is the same
  return train_in(trainer, job, config);
}

std::function<int()> declare(OptionSet app) {
  auto o = std::make_shared<TrainCommand>();
  app.add_option("config", o->config, "Config file (YAML)").type_name("CONFIG.yaml");
  Option resume = app.add_option("--resume", o->resume, "Go on with a stopped run").type_name("RUN");
  app.add_option("--run-dir", o->run_dir, "Write the run here instead of a new numbered directory under runs/")
      .type_name("DIR")
      .excludes(resume);
  app.add_option("--max-steps", o->max_steps, "Stop after this step, without changing the schedule")
      .type_name("N")
      .check(whole(1));
  app.add_flag("--accept-changed-data", o->accept_changed_data,
               "With --resume: go on although the data are not those that the run began with");
  app.add_flag("--dry-run", o->dry_run, "Load everything, run one batch, print the model, and stop");
  o->common.declare(app);
  return [o] {
    o->processes = &shared_processes();
    return train(*o);
  };
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
                                           {"--train-from", "--resume"}},
                                          true});

}  // namespace

}  // namespace seqgrad

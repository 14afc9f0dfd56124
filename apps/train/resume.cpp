// `seqgrad train --resume`: compares what is there with what the run was begun with, and goes on.
#include <fmt/ranges.h>

#include "apps/train/train.h"
#include "engine/comm/together.h"
#include "engine/config/describe.h"
#include "engine/io/directories.h"
#include "engine/io/output.h"
#include "engine/io/signals.h"
#include "engine/run/record.h"
#include "engine/run/resume.h"
#include "engine/run/run_directory.h"
#include "engine/run/run_files.h"

namespace seqgrad {
namespace {

// Refuses data that are not those of the run, unless the user takes them; what is changed by that, in words.
std::vector<std::string> check_record(const TrainCommand& o, const Setup& s) {
  Found found = compare_with_record(o.resume, contents_of(s.data, s.loss), s.settings.device);
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

// What the run goes on with that it was not begun with.
void say_changes(const Config& before, const Config& config, const TrainState& state, const Corpus& train) {
  for (const std::string& change : config_changes(before, config)) note("  " + change);
  note(state.step == 0 ? "nothing was saved yet: beginning again at step 0"
                       : fmt::format("going on at step {}", state.step));
  if (const std::string jump = rate_jump(before, config, state, train); !jump.empty()) note("warning: " + jump);
}

TrainState state_at(const std::string& checkpoint) {
  return checkpoint.empty() ? TrainState{} : load_state(checkpoint);
}

int try_out(const TrainCommand& o, const Config& before, const Config& config, const Setup& s) {
  const std::string last = from_first(*o.processes, [&] {
    check_record(o, s);
    return last_checkpoint(o.resume + "/checkpoints");
  });
  const TrainState state = last.empty() ? TrainState{} : load_checkpoint(last, *s.model, *o.processes);
  check_length(before, config, state, s.data.train);
  if (!o.common.quiet) {
    describe_data(config, s.data);
    say_changes(before, config, state, s.data.train);
  }
  return dry_run(o, config, s, state);
}

int go_on(const TrainCommand& o, const Config& before, const Config& config, const Setup& s) {
  const std::string& run = o.resume;
  std::vector<std::string> changes;
  const TrainJob job = job_of(o, config, s, run);
  Trainer trainer(job);
  trainer.resume(from_first(*o.processes, [&] {
    changes = check_record(o, s);
    restore_replaced(run + "/checkpoints");
    if (o.writes()) drop_copied_links(run + "/checkpoints");
    const std::string last = last_checkpoint(run + "/checkpoints");
    check_length(before, config, state_at(last), s.data.train);
    return last;
  }));
  const std::vector<std::string> set = config_changes(before, config);
  changes.insert(changes.end(), set.begin(), set.end());
  if (o.writes()) {
    if (!set.empty()) write_output(run + "/config.resolved.yaml", resolved_yaml(config, false));
    record_changes(run, trainer.state().step, contents_of(s.data, s.loss), s.settings.device, changes);
    record_hosts(run, s.settings);
  }
  if (!o.common.quiet) {
    describe(o, config, job, s.settings);
    say_changes(before, config, trainer.state(), s.data.train);
  }
  return train_in(trainer, job, config);
}

}  // namespace

int resume(const TrainCommand& o) {
  const std::string& run = o.resume;
  std::optional<RunLock> lock;
  Config before, config;
  Setup s;
  together(*o.processes, [&] {
    if (!o.config.empty()) refuse("train: give a config file or --resume, not both");
    check_resume_overrides(o.common.overrides());
    require_run_directory(run);
    if (!o.dry_run && o.writes()) lock.emplace(run);  // before data are loaded: who comes second is told at once
    config.reads_files = true;
    before.has_weights = config.has_weights = !last_checkpoint(run + "/checkpoints").empty();
    load_run_config(before, run);
    load_run_config(config, run, o.common.overrides());
    s = set_up(config, Purpose::training, run, *o.processes);
  });
  if (o.dry_run) return try_out(o, before, config, s);
  catch_stop_signals();
  return go_on(o, before, config, s);
}

}  // namespace seqgrad

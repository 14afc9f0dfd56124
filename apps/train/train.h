// What the files of this sub-command share.
#pragma once
#include <optional>
#include <string>

#include "apps/command.h"
#include "engine/run/setup.h"
#include "engine/train/trainer.h"

namespace seqgrad {

struct TrainCommand {
  CommonOptions common;
  std::string config, resume, runs = "runs";
  std::optional<std::string> run_dir;
  std::optional<int64_t> max_steps;
  bool dry_run = false, accept_changed_data = false;
  Processes* processes = &alone();  // that train together
  double began = steady_seconds();  // as the program did
  bool writes() const { return processes->rank() == 0; }
};

// Prints the model and what the next step would begin with, of a run that is at `state`.
int dry_run(const TrainCommand& o, const Config& config, const Setup& s, const TrainState& state = {});

int resume(const TrainCommand& o);

TrainJob job_of(const TrainCommand& o, const Config& config, const Setup& s, const std::string& run);

// On stderr: sizes, and what is odd about the data or keeps the loss from learning of them.
void describe_data(const Config& config, const Data& data);

// On stderr: what is trained, on which data and device, and what is not at its default.
void describe(const TrainCommand& o, const Config& config, const TrainJob& job, const ProcessSettings& settings);

// Trains in a directory that the first process has locked, to the last report; the exit code.
int train_in(Trainer& trainer, const TrainJob& job, const Config& config);

}  // namespace seqgrad

// Checkpoints: weights, moments and the trainer's position, published by one rename.
#pragma once
#include <limits>
#include <string>
#include <vector>

#include "engine/comm/processes.h"
#include "engine/io/safetensors.h"
#include "engine/loss/reported.h"
#include "engine/optim/schedule.h"
#include "engine/train/model.h"
#include "engine/train/overfitting.h"

namespace seqgrad {

// What the next progress line and record tell: the sums of the steps since the last one.
struct Interval {
  ReportedLoss loss;
  std::vector<ReportedLoss> compared;  // of loss.compare
  int64_t tokens = 0, positions = 0;   // of the targets; real ones, and with padding
  double grad_norm =
      std::numeric_limits<double>::quiet_NaN();  // of the last update, before clipping; NaN: there was none
};

// All that decides what happens next, besides weights and moments.
struct TrainState {
  int64_t step = 0;              // optimiser steps taken, skipped ones included
  int64_t updates = 0;           // steps that moved parameters
  int64_t skipped = 0;           // steps whose divisor was 0
  int64_t epoch = 0, index = 0;  // the next batch
  double best = 0;               // of checkpoint.metric, larger is better; valid when best_step > 0
  int64_t best_step = 0;
  int64_t stale = 0;  // validations since the best
  Plateau plateau;    // of the schedule of that name
  Overfitting overfitting;
  double train_loss = std::numeric_limits<double>::quiet_NaN();  // of the last whole interval; NaN: there is none
  Interval interval;
  std::vector<std::pair<double, int64_t>> kept;  // (metric, step) of checkpoints kept as the best
};

// DIRECTORY/step-000500/{model,optim}.safetensors, state.json. Returns its path. On failure nothing of it is left.
// `about` is kept in the weights' file: the fingerprints of the vocabularies that they were learned with.
std::string save_checkpoint(const std::string& directory, SequenceModel& model, const TrainState& state,
                            const Metadata& about = {});

// Both refuse what does not fit the model, naming tensor and reason, before anything is changed.
void load_weights(const std::string& checkpoint, SequenceModel& model);
TrainState load_checkpoint(const std::string& checkpoint, SequenceModel& model);

// By the first process, for all of them.
TrainState load_checkpoint(const std::string& checkpoint, SequenceModel& model, Processes& processes);

TrainState load_state(const std::string& checkpoint);  // the position alone
// state.json of a checkpoint, and back; `path` is what errors name.
std::string state_text(const TrainState& state);
TrainState parse_state(const std::string& text, const std::string& path);
// The mean of several checkpoints' weights, taken in float64.
void load_average(const std::vector<std::string>& checkpoints, SequenceModel& model);

std::string checkpoint_name(int64_t step);                                 // "step-000500"
int64_t step_of(const std::string& name, const std::string& suffix = "");  // of "step-000500.txt"; -1 for other names
std::vector<int64_t> published_checkpoints(const std::string& directory);  // their steps, ascending

// The checkpoint that a stopped run goes on from: `last`, or the newest where a killed run had no time for that link;
// "" when none was published.
std::string last_checkpoint(const std::string& directory);

// Where a copy of the run has directories in place of the links `last` and `best` (cp -L, a file system without links),
// leaves each checkpoint once, under the name of its step.
void drop_copied_links(const std::string& directory);

}  // namespace seqgrad

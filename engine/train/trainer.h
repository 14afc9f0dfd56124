// The training loop: steps, progress, validation, checkpoints, and a clean end.
#pragma once
#include <optional>
#include <set>
#include <string>

#include "engine/io/metric_log.h"
#include "engine/train/evaluate.h"
#include "engine/train/progress.h"
#include "engine/train/run_length.h"
#include "engine/train/step_queue.h"
#include "engine/train/work_times.h"

namespace seqgrad {

struct TrainJob {
  const Config& config;
  SequenceModel& model;
  const Data& data;
  LossSetup loss;
  DecodeOptions decode;
  std::string run;                   // the run directory
  std::optional<int64_t> max_steps;  // stop here, without changing the schedule
  bool quiet = false;
  Clock clock = steady_seconds;                // of the times that are told
  Processes& processes = alone();              // that make the run together; the first one writes and tells
  std::optional<double> began = std::nullopt;  // when the command did, by the clock; unset: with the trainer
};

enum class Ending { finished, early, max_steps, stopped };

// Several processes each have one, of equal jobs, and call its functions alike. All of them take the same steps to the
// same end; an error is thrown in all, as engine/comm/together.h says.
class Trainer {
 public:
  explicit Trainer(const TrainJob& job);
  // Goes on from a checkpoint ("": from the beginning, nothing was saved), and puts the run directory into the state in
  // which an uninterrupted run has it at that step. An epoch that has fewer batches than were read of it is over.
  void resume(const std::string& checkpoint);
  Ending run();
  int stop_signal() const { return stop_signal_; }  // that some process got, where the run was stopped
  // report.html, as things stand now; training writes it at each validation and when it stops. `test` are lines about
  // the test.
  void write_report(const std::vector<std::string>& test = {});
  // A record of its own kind for a split that is looked at after training, and its place in run.json.
  void record_result(const std::string& split, const Evaluation& e);
  WorkTimes& times() { return times_; }  // that the run took, in all of its processes
  void say_times();                      // how much was not training, at the very end; run.json has it by kinds
  const TrainState& state() const { return state_; }
  int64_t total_steps() const { return total_; }

 private:
  void advance();
  void one_step();
  void compare_parameters();
  void record(const std::string& kind, const Metrics& metrics);
  void collect();
  ProgressLine progress();
  void tell_epoch(ProgressLine& line);
  double epochs();
  void show_progress();
  void log_interval();
  void validate();
  void checkpoint();
  void save_what_is_not();
  void tidy_checkpoints();
  void keep_best(double metric);
  void show_samples(const std::vector<std::string>& of_dev = {});
  bool out_of_patience() const;
  void say_beginning(bool nothing_to_do);
  void say_end(bool early);
  void forget_results();
  void keep_times();
  void take_kept_times();
  void say_overfitting(double dev_loss);
  void say_compared(const std::vector<double>& values);
  void warn(const std::vector<LossWarning>& warnings);
  double rate() const;

  const TrainJob job_;
  const bool writes_;  // the run directory
  Batcher batcher_;
  const RunLength length_;
  ProcessSum sum_;
  StepQueue queue_;
  TrainState state_;
  std::optional<MetricLog> metrics_;  // of who writes
  Progress progress_;
  int64_t total_ = 0, saved_step_ = -1, reported_step_ = -1, step_batches_ = 0;  // micro-batches of the last step
  WorkTimes times_;
  double interval_start_ = 0;  // seconds of training before the interval, or before this process
  int64_t timed_tokens_ = 0;   // target tokens since then
  double loop_start_ = 0;
  int64_t first_step_ = 0, equal_at_ = 0;  // where this process began; where parameters were compared last
  int stop_signal_ = 0;
  std::set<std::string> warned_;
  std::optional<ProgressLine> logged_;  // what the last interval said
};

// What is trained: "German -> English, 20,000 pairs, 1,000 parameters".
std::string describe_job(const TrainJob& job);

}  // namespace seqgrad

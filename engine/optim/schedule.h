// Learning rates as functions of the step and the run's length; plateau's, of the validations so far.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace seqgrad {

struct ScheduleOptions {
  int64_t warmup = 0;  // steps of linear warm-up
  int64_t total = 0;   // steps of the whole run
  double floor = 0;    // smallest factor
  double scale = 1;    // Plateau::scale
};

// What validations have said, as torch.optim.lr_scheduler.ReduceLROnPlateau keeps it (relative threshold 1e-4, no
// cool-down): after more than `patience` validations in a row that are no better than the best by that much, the rate
// is multiplied by `factor`.
struct Plateau {
  double best = 0;  // valid once `any`
  bool any = false;
  int64_t bad = 0;   // validations since the best, or since the last reduction
  double scale = 1;  // product of the reductions, not below `floor`
  void update(double metric, bool larger_is_better, double factor, int64_t patience, double floor);
};

// The factor on the configured rate at `step` (from 1), from the last step of warm-up on.
struct Schedule {
  const char* name;
  const char* doc;
  double (*factor)(int64_t step, const ScheduleOptions&);
};

const std::map<std::string, Schedule>& schedules();
bool register_schedule(const Schedule& schedule);
std::vector<std::string> schedule_names();

double learning_rate(double base, const std::string& schedule, int64_t step, const ScheduleOptions& options);

}  // namespace seqgrad

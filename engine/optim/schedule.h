// Learning rates as functions of the step.
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
};

// The factor on the configured rate at `step` (from 1), after warm-up: 1 at its end.
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

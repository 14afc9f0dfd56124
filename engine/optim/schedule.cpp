// The schedules: each registers a function of the step.
#include "engine/optim/schedule.h"

#include <algorithm>
#include <cmath>

#include "engine/core/registry.h"

namespace seqgrad {
namespace {

std::map<std::string, Schedule>& registry() {
  static std::map<std::string, Schedule> all;
  return all;
}

// How much of the way after warm-up lies behind a step: 0 at the first one after it. As PyTorch counts, the end would
// be reached one step after the last, so that the last step still learns.
double progress(int64_t step, const ScheduleOptions& o) {
  return std::clamp(
      static_cast<double>(step - 1 - o.warmup) / static_cast<double>(std::max<int64_t>(1, o.total - o.warmup)), 0.0,
      1.0);
}

const bool registered =
    register_schedule({"constant", "the configured rate", [](int64_t, const ScheduleOptions&) { return 1.0; }}) &&
    register_schedule({"linear", "falls in a line, by one part a step, towards floor",
                       [](int64_t s, const ScheduleOptions& o) { return 1 - (1 - o.floor) * progress(s, o); }}) &&
    register_schedule({"cosine", "falls along half a cosine towards floor",
                       [](int64_t s, const ScheduleOptions& o) {
                         return o.floor + (1 - o.floor) * 0.5 * (1 + std::cos(M_PI * progress(s, o)));
                       }}) &&
    register_schedule({"inverse_sqrt", "falls with the square root of the step after warm-up (Vaswani et al. 2017)",
                       [](int64_t s, const ScheduleOptions& o) {
                         const auto w = static_cast<double>(std::max<int64_t>(1, o.warmup));
                         return std::max(o.floor, std::sqrt(w / std::max(w, static_cast<double>(s))));
                       }}) &&
    register_schedule({"plateau", "falls by schedule.factor when checkpoint.metric stands still for schedule.patience",
                       [](int64_t, const ScheduleOptions& o) { return o.scale; }});

}  // namespace

void Plateau::update(double metric, bool larger_is_better, double factor, int64_t patience, double floor) {
  constexpr double threshold = 1e-4;
  const bool better = !any || (larger_is_better ? metric > best * (1 + threshold) : metric < best * (1 - threshold));
  if (better && !std::isnan(metric)) {
    best = metric;
    any = true;
    bad = 0;
  } else if (++bad > patience) {
    scale = std::max(scale * factor, floor);
    bad = 0;
  }
}

const std::map<std::string, Schedule>& schedules() { return registry(); }
bool register_schedule(const Schedule& schedule) {
  return register_once(registry(), "schedule", schedule.name, schedule);
}

std::vector<std::string> schedule_names() {
  std::vector<std::string> names;
  for (const auto& [name, s] : registry()) names.push_back(name);
  return names;
}

double learning_rate(double base, const std::string& schedule, int64_t step, const ScheduleOptions& o) {
  if (step < o.warmup) return base * static_cast<double>(step) / static_cast<double>(o.warmup);
  return base * schedules().at(schedule).factor(step, o);
}

}  // namespace seqgrad

// The learning rate is a function of the step and of the number of all steps.
#include "engine/run/resume.h"

#include <algorithm>
#include <array>

namespace seqgrad {

void check_resume_overrides(const std::vector<std::string>& set) {
  static constexpr std::array may_change = {"train.steps", "train.epochs", "train.early_stopping.patience",
                                            "train.log_every", "threads"};
  for (const std::string& s : set) {
    const std::string key = s.substr(0, s.find('='));
    if (std::find(may_change.begin(), may_change.end(), key) == may_change.end())
      refuse(
          "--set {}: cannot change on resume; only train.steps, train.epochs, train.early_stopping.patience, "
          "train.log_every and threads can",
          shown(s));
  }
}

std::vector<std::string> config_changes(const Config& before, const Config& now) {
  std::vector<std::string> out;
  before.for_each_field([&](const FieldBase& was) {
    const FieldBase* is = now.find(was.path());
    if (is && is->yaml() != was.yaml())
      out.push_back(fmt::format("{}: {}; now {}", was.path(), was.yaml(), is->yaml()));
  });
  return out;
}

std::string rate_jump(const Config& before, const Config& now, const TrainState& state, const Corpus& train) {
  const int64_t steps_before = RunLength(before, train).steps(state), steps_now = RunLength(now, train).steps(state);
  const auto rate = [&](const Config& c, int64_t total, int64_t step) {
    return learning_rate(c.optim.lr(), c.schedule.name(), step,
                         {c.schedule.warmup(), total, c.schedule.floor(), state.plateau.scale});
  };
  const int64_t next = state.step + 1;
  const double after = rate(now, steps_now, next);
  if (state.step == 0 || rate(before, steps_before, next) == after) return "";
  return fmt::format(
      "the learning rate goes from {:.3g} at step {} to {:.3g} at step {}: schedule {} depends on the number "
      "of steps, {} before and {} now",
      rate(before, steps_before, state.step), state.step, after, next, now.schedule.name(), steps_before, steps_now);
}

}  // namespace seqgrad

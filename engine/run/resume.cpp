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
          "{}: cannot change on resume; only train.steps, train.epochs, train.early_stopping.patience, "
          "train.log_every and threads can",
          shown(s));
  }
}

void check_length(const Config& before, const Config& now, const TrainState& state, const Corpus& train) {
  const TrainConfig &was = before.train, &is = now.train;
  if (was.steps() == is.steps() && was.epochs() == is.epochs()) return;
  const auto refuse_fewer = [](const std::string& key, int64_t asked, const std::string& done, int64_t more) {
    refuse(
        "--set train.{0}={1}: {2} {0} are done; to train on, write a larger number, such as --set train.{0}={3}; to "
        "leave the length of the run as it is, leave this out",
        key, asked, done, more);
  };
  if (is.steps()) {
    if (*is.steps() <= state.step) refuse_fewer("steps", *is.steps(), std::to_string(state.step), 2 * state.step);
    return;
  }
  const int64_t epochs = *RunLength(now, train).epochs();
  if (state.epoch < epochs) return;
  const double part =
      static_cast<double>(state.index) / static_cast<double>(Batcher(train, batch_options(now)).batches(state.epoch));
  const std::string done =
      state.index == 0 ? std::to_string(state.epoch) : fmt::format("{:.2f}", static_cast<double>(state.epoch) + part);
  refuse_fewer("epochs", epochs, done, 2 * (state.epoch + (state.index > 0)));
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

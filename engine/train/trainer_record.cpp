// What the trainer says of a run as a whole, and what it keeps of it in run.json.
#include <nlohmann/json.hpp>

#include "engine/train/notices.h"
#include "engine/train/results.h"
#include "engine/train/run_info.h"
#include "engine/train/trainer.h"

namespace seqgrad {

// For a new run what is odd about it; for one that does not go on, why, and what would make it.
void Trainer::say_beginning(bool nothing_to_do) {
  const TrainConfig& t = job_.config.train;
  if (state_.step == 0)
    for (const std::string& text : notices(job_.config, job_.data, total_)) progress_.say("note: " + text);
  if (!nothing_to_do) return;
  if (state_.step >= total_)
    progress_.say(fmt::format("this run is finished: step {} of {}; to train on, resume it with --set train.{}={}",
                              state_.step, total_, t.steps() ? "steps" : "epochs",
                              2 * (t.steps() ? *t.steps() : t.epochs().value_or(10))));
  else if (out_of_patience())
    progress_.say(fmt::format(
        "this run stopped early, at step {} of {}; to train on, resume it with --set train.early_stopping.patience={}",
        state_.step, total_, 2 * *t.early_stopping.patience()));
  else
    progress_.say(fmt::format("this run is at step {} already, and --max-steps says {}", state_.step, *job_.max_steps));
}

void Trainer::say_end(bool early) {
  if (state_.skipped > 0)
    progress_.say(fmt::format("{} step{} had nothing to learn from and {} skipped", state_.skipped,
                              state_.skipped == 1 ? "" : "s", state_.skipped == 1 ? "was" : "were"));
  if (early)
    progress_.say(fmt::format(
        "stopped early at step {} of {}: {} on dev was best at step {}, and no better in {} validations since "
        "(train.early_stopping.patience)",
        state_.step, total_, job_.config.checkpoint.metric(), state_.best_step, state_.stale));
  progress_.say(fmt::format("step {} of {} after {} in all", state_.step, total_, format_duration(seconds())));
}

void Trainer::record_result(const std::string& split, const Evaluation& e) {
  Metrics metrics = metrics_of(e, job_.loss.compare);
  metrics.emplace_back("sentences", e.sentences);
  metrics.emplace_back("tokens", e.tokens);
  metrics.emplace_back("epoch", epochs());
  metrics.emplace_back("seconds", seconds());
  metrics_.append(split, state_.step, metrics);
  auto info = read_run_info(job_.run);
  auto& result = info["results"][split];
  result["step"] = state_.step;
  for (const auto& [name, value] : metrics) result[name] = value;
  write_run_info(job_.run, info);
}

// Those of an earlier end, when the run goes on.
void Trainer::forget_results() {
  auto info = read_run_info(job_.run);
  if (info.erase("results") > 0) write_run_info(job_.run, info);
}

void Trainer::keep_seconds() {
  auto info = read_run_info(job_.run);
  info["seconds"] = seconds();
  write_run_info(job_.run, info);
}

void Trainer::say_overfitting(double dev_loss) {
  const Overfitting& o = state_.overfitting;
  if (!state_.overfitting.update(state_.step, dev_loss, state_.train_loss)) return;
  progress_.say(
      fmt::format("overfitting: the dev loss was lowest at step {} ({:.3f}, now {:.3f}) while the training loss falls "
                  "on ({:.3f}, now "
                  "{:.3f}); dropout, a smaller model or more pairs help, train.early_stopping.patience ends such a run",
                  o.step, o.dev, dev_loss, o.train, state_.train_loss));
}

// Those at the end of this run's last process, when it had one.
double Trainer::kept_seconds() const {
  const auto info = read_run_info(job_.run);
  const auto found = info.find("seconds");
  return found != info.end() && found->is_number() ? found->get<double>() : 0;
}

}  // namespace seqgrad

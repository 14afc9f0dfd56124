// What the trainer says of a run as a whole, what its processes have to agree in, and what it keeps of it in run.json.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/comm/together.h"
#include "engine/train/notices.h"
#include "engine/train/results.h"
#include "engine/train/run_info.h"
#include "engine/train/trainer.h"

namespace seqgrad {

// Processes that compute the same have the same parameters; where they have not, a machine or its memory is broken.
void Trainer::compare_parameters() {
  if (job_.processes.count() == 1) return;
  const auto digests = together(job_.processes, [&] { return job_.model.store().digest(); });
  const auto other = std::find_if(digests.begin(), digests.end(), [&](uint64_t d) { return d != digests[0]; });
  if (other == digests.end()) {
    equal_at_ = state_.step;
    return;
  }
  const std::vector<std::string> hosts = hosts_of(job_.processes);
  const auto rank = static_cast<size_t>(other - digests.begin());
  throw AgreedError(
      ExitCode::system,
      fmt::format(
          "rank {} (host {}) holds other parameters than rank 0 (host {}) at step {}{}", rank, hosts[rank], hosts[0],
          with_commas(state_.step),
          state_.step == first_step_ ? "" : fmt::format("; at step {} they were equal", with_commas(equal_at_))));
}

// For a new run what is odd about it; for one that does not go on, why, and what would make it.
void Trainer::say_beginning(bool nothing_to_do) {
  const TrainConfig& t = job_.config.train;
  if (state_.step == 0)
    for (const std::string& text : notices(job_.config, job_.data, total_)) progress_.say("note: " + text);
  if (!nothing_to_do) return;
  const std::string again = fmt::format("it is only {} again; to train on, resume it with --set train.",
                                        job_.data.test.size() > 0 ? "tested" : "reported on");
  if (state_.step >= total_)
    progress_.say(fmt::format("this run is finished: step {} of {}; {}{}={}", state_.step, total_, again,
                              t.steps() ? "steps" : "epochs", 2 * (t.steps() ? *t.steps() : t.epochs().value_or(10))));
  else if (out_of_patience())
    progress_.say(fmt::format("this run stopped early, at step {} of {}; {}early_stopping.patience={}", state_.step,
                              total_, again, state_.stale + *t.early_stopping.patience()));
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
  progress_.say(fmt::format("step {} of {} after {} in all", state_.step, total_, format_duration(times_.total())));
}

void Trainer::record(const std::string& kind, const Metrics& metrics) {
  if (writes_) metrics_->append(kind, state_.step, metrics);
}

void Trainer::record_result(const std::string& split, const Evaluation& e) {
  Metrics metrics = metrics_of(e, job_.loss.compare);
  metrics.emplace_back("sentences", e.sentences);
  metrics.emplace_back("tokens", e.tokens);
  metrics.emplace_back("epoch", epochs());
  metrics.emplace_back("seconds", times_.total());
  if (!writes_) return;
  record(split, metrics);
  auto info = read_run_info(job_.run);
  auto& result = info["results"][split];
  result["step"] = state_.step;
  for (const auto& [name, value] : metrics) result[name] = value;
  write_run_info(job_.run, info);
}

// Those of an earlier end, when the run goes on.
void Trainer::forget_results() {
  if (!writes_) return;
  auto info = read_run_info(job_.run);
  if (info.erase("results") > 0) write_run_info(job_.run, info);
}

void Trainer::keep_times() {
  if (!writes_) return;
  auto info = read_run_info(job_.run);
  const WorkSeconds seconds = times_.so_far();
  info["seconds"] = total_of(seconds);
  auto& of_kinds = info["seconds_of"] = nlohmann::ordered_json::object();
  for (size_t i = 0; i < work_names.size(); ++i) of_kinds[work_names[i]] = seconds[i];
  write_run_info(job_.run, info);
}

void Trainer::say_times() {
  progress_.say(outside_of_training(times_.so_far()));
  keep_times();
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

// Those that this run's last process kept; what records know beside them is other work.
void Trainer::take_kept_times() {
  const auto info = read_run_info(job_.run);
  const auto number = [](const auto& in, const char* name) {
    const auto found = in.find(name);
    return found != in.end() && found->is_number() ? found->template get<double>() : 0.0;
  };
  double whole = number(info, "seconds");
  for (const MetricRow& row : metrics_->rows())
    for (const auto& [name, value] : row.values)
      if (name == "seconds") whole = std::max(whole, value);
  const auto kinds = info.find("seconds_of");
  for (size_t i = 0; i < work_names.size() && kinds != info.end(); ++i) {
    const double seconds = number(*kinds, work_names[i]);
    times_.add(static_cast<Work>(i), seconds);
    whole -= seconds;
  }
  times_.add(Work::other, std::max(0.0, whole));
}

}  // namespace seqgrad

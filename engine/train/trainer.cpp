// Everything that decides the next number of a run is in TrainState or a function of (config, seed, step).
#include "engine/train/trainer.h"

#include <algorithm>
#include <cmath>

#include "engine/comm/together.h"
#include "engine/data/surface.h"
#include "engine/io/directories.h"
#include "engine/io/output.h"
#include "engine/io/signals.h"
#include "engine/text/numbers.h"
#include "engine/train/report.h"
#include "engine/train/results.h"

namespace seqgrad {
static int64_t up(int64_t count, int64_t size) { return (count + size - 1) / size; }  // parts of that size

static Sharing sharing_of(const TrainJob& job, ProcessSum& sum) {
  return {job.config.train.batch.shards(), job.processes.count() > 1 ? &sum : nullptr};
}

Trainer::Trainer(const TrainJob& job)
    : job_(job),
      writes_(job.processes.rank() == 0),
      batcher_(job.data.train, batch_options(job.config)),
      length_(job.config, job.data.train),
      sum_(job.processes),
      queue_(job.model, job_.loss, job.config.optim, sharing_of(job, sum_), {.replay = job.config.graphs()}),
      progress_(job.quiet || !writes_, writes_ ? job.run + "/train.log" : ""),
      total_(length_.steps()),
      times_(job.clock, job.began.value_or(job.clock())) {
  if (writes_) metrics_.emplace(job.run);
}

void Trainer::resume(const std::string& checkpoint) {
  if (!checkpoint.empty()) {
    state_ = load_checkpoint(checkpoint, job_.model, job_.processes);
    if (state_.index >= batcher_.batches(state_.epoch)) state_.index = 0, ++state_.epoch;
    batcher_.seek({state_.epoch, state_.index});
    total_ = length_.steps(state_);
    saved_step_ = state_.step;
    tidy_checkpoints();
  }
  if (!writes_) return;
  metrics_->truncate_after(checkpoint.empty() ? -1 : state_.step);
  if (metrics_->damaged() > 0)
    progress_.say(
        fmt::format("warning: metrics.jsonl has {} that {} no metrics of a step; reports and tables leave {} out",
                    counted(metrics_->damaged(), "line"), metrics_->damaged() == 1 ? "is" : "are",
                    metrics_->damaged() == 1 ? "it" : "them"));
  take_kept_times();
  for (const char* part : {"", "/checkpoints", "/samples"}) remove_leftovers(job_.run + part);
}

double Trainer::rate() const {
  const Config& c = job_.config;
  return learning_rate(c.optim.lr(), c.schedule.name(), state_.step,
                       {c.schedule.warmup(), total_, c.schedule.floor(), state_.plateau.scale});
}

void Trainer::one_step() {
  const During stepping(times_, Work::steps);
  const Config& c = job_.config;
  std::vector<Batch> batches;
  step_batches_ = length_.micro_batches(state_);
  {
    const During batching(times_, Work::batches);
    while (std::ssize(batches) < step_batches_) batches.push_back(batcher_.next());
  }
  ++state_.step;
  const ForwardContext context{true, static_cast<uint64_t>(c.seed()), static_cast<uint64_t>(state_.step), 0,
                               c.train.teacher_forcing()};
  state_.epoch = batcher_.position().epoch;
  state_.index = batcher_.position().index;
  if (queue_.run(std::move(batches), context, rate(), state_.updates + 1)) ++state_.updates;
  if (job_.model.store().device() == Device::cpu) collect();
}

// Takes in what steps gave; on a GPU this waits for it.
void Trainer::collect() {
  const During stepping(times_, Work::steps);
  Interval& interval = state_.interval;
  for (const StepResult& r : queue_.collect()) {
    warn(r.warnings);
    interval.loss += r.loss;
    interval.compared.resize(job_.loss.compare.size());
    for (size_t i = 0; i < r.compared.size(); ++i) interval.compared[i] += r.compared[i];
    interval.tokens += r.target_tokens;
    interval.positions += r.positions;
    timed_tokens_ += r.target_tokens;
    if (r.skipped)
      ++state_.skipped;
    else
      interval.grad_norm = r.grad_norm;
  }
}

void Trainer::warn(const std::vector<LossWarning>& warnings) {
  for (const LossWarning& w : warnings)
    if (warned_.insert(w.kind).second) progress_.say("warning: loss: " + w.text);
}

void Trainer::say_compared(const std::vector<double>& values) {
  if (!job_.loss.compare.empty()) progress_.say("  beside it: " + beside(job_.loss.compare, values));
}

// Epochs that were read, the part of the last one included.
double Trainer::epochs() {
  return static_cast<double>(state_.epoch) +
         static_cast<double>(state_.index) / static_cast<double>(batcher_.batches(state_.epoch));
}

// The epoch of the last batch that was read, and which of the steps that end in it this was.
void Trainer::tell_epoch(ProgressLine& p) {
  const int64_t accumulation = job_.config.train.accumulation(), epoch = state_.epoch - (state_.index == 0);
  const int64_t batches = batcher_.batches(epoch), read = state_.index == 0 ? batches : state_.index;
  p.epoch = epoch + 1;
  p.epochs = length_.epochs() ? *length_.epochs() : up(total_ * accumulation, batches);
  p.step = 1 + up(std::max<int64_t>(0, read - step_batches_), accumulation);  // those before were full
  const int64_t rest = batches - read;
  p.steps_in_epoch = p.step + (p.epoch == p.epochs ? up(rest, accumulation) : rest / accumulation);
}

ProgressLine Trainer::progress() {
  const Interval& interval = state_.interval;
  ProgressLine p;
  tell_epoch(p);
  p.loss = printed_loss(interval.loss.value(job_.loss.options), job_.loss.options);
  p.perplexity = interval.loss.perplexity();
  p.lr = rate();
  p.grad_norm = interval.grad_norm;
  p.tokens_per_second = static_cast<double>(timed_tokens_) / std::max(1e-9, times_.training() - interval_start_);
  p.padding = 1 - static_cast<double>(interval.tokens) / static_cast<double>(std::max<int64_t>(1, interval.positions));
  p.eta_seconds = (job_.clock() - loop_start_) / static_cast<double>(state_.step - first_step_) *
                  static_cast<double>(total_ - state_.step);
  return p;
}

// Between two intervals the moving line keeps the figures of the last one: those of a few steps would only flicker.
void Trainer::show_progress() {
  ProgressLine p = progress();
  if (logged_) {
    p.loss = logged_->loss, p.perplexity = logged_->perplexity, p.grad_norm = logged_->grad_norm;
    p.tokens_per_second = logged_->tokens_per_second, p.padding = logged_->padding;
  }
  progress_.update(p);
}

void Trainer::log_interval() {
  collect();
  const ProgressLine p = progress();
  progress_.log(p);
  logged_ = p;
  state_.train_loss = state_.interval.loss.value(job_.loss.options);
  Metrics metrics = {
      {"loss", state_.train_loss}, {"perplexity", p.perplexity}, {"lr", p.lr},
      {"grad_norm", p.grad_norm},  {"padding", p.padding},       {"skipped", static_cast<double>(state_.skipped)}};
  std::vector<double> compared;
  for (size_t i = 0; i < job_.loss.compare.size(); ++i) {
    compared.push_back(state_.interval.compared[i].value(job_.loss.compare[i].options));
    metrics.emplace_back("loss." + job_.loss.compare[i].name, compared.back());
  }
  say_compared(compared);
  metrics.emplace_back("epoch", epochs());
  metrics.emplace_back("seconds", times_.total());
  metrics.emplace_back("tokens_per_second", p.tokens_per_second);
  record("train", metrics);
  state_.interval = {};
  timed_tokens_ = 0;
  interval_start_ = times_.training();
}

// Translations of the whole dev split, where there are any already.
void Trainer::show_samples(const std::vector<std::string>& of_dev) {
  if (!writes_) return;
  const During sampling(times_, Work::samples);
  const Corpus& dev = job_.data.dev;
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < dev.size() && std::ssize(rows) < job_.config.report.samples(); ++i)
    if (dev.source.length(i) > 0) rows.push_back(i);
  std::vector<std::string> out;
  if (of_dev.empty())
    out = translate_rows(job_.model, dev, rows, *job_.data.target, job_.decode);
  else
    for (const int64_t row : rows) out.push_back(of_dev[static_cast<size_t>(row)]);
  const Task* task = task_of(job_.config.data);
  const auto shown_as = [&](const std::string& text) { return task && task->sentences ? present(text) : text; };
  std::string file;
  for (size_t i = 0; i < out.size(); ++i) {
    const Pair pair = dev.pairs[static_cast<size_t>(rows[i])];
    const bool first = state_.step == 0, right = out[i] == pair.target;
    progress_.say(fmt::format("{}   {}  ->  {}{}", first ? "before training" : "               ", shown_as(pair.source),
                              shown_as(out[i]),
                              first || right ? "" : fmt::format("   (reference: {})", shown_as(pair.target))));
    file += fmt::format("source     {}\nreference  {}\nmodel      {}\n\n", pair.source, pair.target, out[i]);
  }
  if (file.empty()) return;
  make_directories(job_.run + "/samples");
  write_output(fmt::format("{}/samples/step-{:06}.txt", job_.run, state_.step), file);
}

void Trainer::validate() {
  constexpr const char* text =
      "stopping: the validation is finished first, then the run is saved; a second signal leaves without saving\n";
  const StopAnswer answer(writes_ ? text : nullptr);
  collect();
  const During validating(times_, Work::validation);
  compare_parameters();
  const Evaluation e = evaluate(job_.model, job_.loss, job_.data.dev, *job_.data.target, job_.decode,
                                score_options(job_.config), {}, job_.processes);
  progress_.say(fmt::format("step {}  dev: loss {}  ppl {:.2f}  {}", state_.step,
                            printed_loss(e.loss_value, job_.loss.options), e.perplexity, scores_text(e)));
  say_compared(e.compared);
  Metrics metrics = metrics_of(e, job_.loss.compare);
  metrics.emplace_back("epoch", epochs());
  metrics.emplace_back("seconds", times_.total());
  record("dev", metrics);
  show_samples(e.hypotheses);
  say_overfitting(e.loss_value);
  const std::string& name = job_.config.checkpoint.metric();
  const double metric = name == "loss" ? e.loss_value : name == "bleu" ? e.bleu.value_or(NAN) : e.sequence_accuracy;
  const ScheduleConfig& s = job_.config.schedule;
  state_.plateau.update(metric, name != "loss", s.factor(), s.patience(), s.floor());
  keep_best(name == "loss" ? -metric : metric);
  write_report();
}

void Trainer::keep_best(double metric) {
  if (std::isnan(metric)) metric = -HUGE_VAL;  // worse than any number
  const bool better = state_.best_step == 0 || metric > state_.best;
  if (better) {
    state_.best = metric;
    state_.best_step = state_.step;
    state_.stale = 0;
  } else {
    ++state_.stale;
  }
  state_.kept.emplace_back(metric, state_.step);
  // Best first; of equals the earlier one.
  std::stable_sort(state_.kept.begin(), state_.kept.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  const auto keep = static_cast<size_t>(job_.config.checkpoint.keep_best());
  if (state_.kept.size() > keep) state_.kept.resize(keep);
  checkpoint();
}

void Trainer::checkpoint() {
  collect();
  const During saving(times_, Work::checkpoints);
  saved_step_ = state_.step;
  if (!writes_) return;
  metrics_->sync();
  save_checkpoint(
      job_.run + "/checkpoints", job_.model, state_,
      {{"source_vocabulary", job_.data.source->fingerprint()}, {"target_vocabulary", job_.data.target->fingerprint()}});
  tidy_checkpoints();
  keep_times();
}

// Points `last` and `best` to their checkpoints, then removes those that are no longer kept: only checkpoints, which
// this program wrote, are ever removed.
void Trainer::tidy_checkpoints() {
  if (!writes_) return;
  const std::string directory = job_.run + "/checkpoints/";
  std::vector<int64_t> steps = published_checkpoints(directory);
  // Later ones are of a run that was killed; they are written again when their step comes.
  std::erase_if(steps, [&](int64_t step) { return step > state_.step; });
  atomic_symlink(checkpoint_name(state_.step), directory + "last");
  if (state_.best_step > 0 && std::count(steps.begin(), steps.end(), state_.best_step))
    atomic_symlink(checkpoint_name(state_.best_step), directory + "best");
  const auto last = static_cast<size_t>(job_.config.checkpoint.keep_last());
  for (size_t i = 0; i + last < steps.size(); ++i) {
    const bool best =
        std::any_of(state_.kept.begin(), state_.kept.end(), [&](const auto& k) { return k.second == steps[i]; });
    if (!best && steps[i] != state_.best_step) remove_directory(directory + checkpoint_name(steps[i]));
  }
}

void Trainer::write_report(const std::vector<std::string>& test) {
  const During reporting(times_, Work::report);
  if (writes_) write_output(job_.run + "/report.html", report_page(job_, state_, total_, metrics_->rows(), test));
  reported_step_ = state_.step;
}

void Trainer::save_what_is_not() {
  collect();
  if (saved_step_ != state_.step) checkpoint();
  if (reported_step_ != state_.step) write_report();
}

bool Trainer::out_of_patience() const {
  const auto& patience = job_.config.train.early_stopping.patience();
  return patience && state_.stale >= *patience;
}

// A step, and what is due after it.
void Trainer::advance() {
  const TrainConfig& t = job_.config.train;
  one_step();
  if (progress_.due()) show_progress();
  if (state_.step % t.log_every() == 0 || state_.step == total_) log_interval();
  if (state_.step % t.validate_every() == 0 || state_.step == total_)
    validate();
  else if (job_.config.checkpoint.every() && state_.step % *job_.config.checkpoint.every() == 0)
    checkpoint();
}

Ending Trainer::run() {
  const struct AtTheEnd {
    Progress& progress;
    ~AtTheEnd() { progress.clear(); }
  } at_the_end{progress_};
  const int64_t end = job_.max_steps ? std::min(total_, *job_.max_steps) : total_;
  times_.change_to(Work::other);
  const bool nothing_to_do = state_.step >= end || out_of_patience();  // a stopped run may have had its last validation
  say_beginning(nothing_to_do);
  if (!nothing_to_do) forget_results();
  if (state_.step == 0) show_samples();
  first_step_ = state_.step;
  loop_start_ = job_.clock();
  interval_start_ = times_.training();
  compare_parameters();
  while (state_.step < end && !out_of_patience()) {
    const std::vector<int> signals = together(job_.processes, [&] { return advance(), seqgrad::stop_signal(); });
    const auto got = std::find_if(signals.begin(), signals.end(), [](int signal) { return signal != 0; });
    if (got != signals.end()) {
      stop_signal_ = *got;
      save_what_is_not();
      keep_times();
      return Ending::stopped;
    }
  }
  save_what_is_not();
  keep_times();
  const bool early = out_of_patience() && state_.step < total_;
  if (!nothing_to_do) say_end(early);
  if (early) return Ending::early;
  return state_.step < total_ ? Ending::max_steps : Ending::finished;
}

std::string describe_job(const TrainJob& job) {
  const DataConfig& d = job.config.data;
  const Task* task = task_of(d);
  const std::string what = !task         ? job.config.name()
                           : task->title ? task->title(task_options(d, static_cast<uint64_t>(job.config.seed())))
                                         : task->name;
  return fmt::format("{}, {}, {}", what, counted(job.data.train.size(), "pair"),
                     counted(job.model.store().count(), "parameter"));
}

}  // namespace seqgrad

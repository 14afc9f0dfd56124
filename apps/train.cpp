// `seqgrad train`: a new run, or a stopped one resumed.
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "apps/command.h"
#include "engine/config/describe.h"
#include "engine/data/surface.h"
#include "engine/io/atomic_write.h"
#include "engine/io/run_dir.h"
#include "engine/io/signals.h"
#include "models/run.h"

namespace seqgrad {
namespace {

struct Options {
  CommonOptions common;
  std::string config, resume, run_dir, runs = "runs";
  std::optional<int64_t> max_steps;
  bool dry_run = false;
};

// On resume only what does not change the numbers, or only how far they go, may be set.
void check_resume_overrides(const std::vector<std::string>& set) {
  for (const std::string& s : set) {
    const std::string key = s.substr(0, s.find('='));
    if (key != "train.steps" && key != "train.epochs" && key != "train.log_every" && key != "threads")
      refuse("--set {}: cannot change on resume; only train.steps, train.epochs, train.log_every and threads can",
             shown(s));
  }
}

void print_model(SequenceModel& model) {
  for (const Parameter& p : model.store().parameters())
    fmt::print("{:<32} {:>16} {:>12}\n", p.name, p.file_shape().str(), p.shape.numel());
  fmt::print("{:<32} {:>16} {:>12}\n", "parameters", "", model.store().count());
}

int dry_run(const Config& config, SequenceModel& model, const Data& data) {
  print_model(model);
  BatchOptions o;
  o.size = config.train.batch.size();
  o.by = config.train.batch.by() == "sentences" ? BatchBy::sentences : BatchBy::target_tokens;
  o.bucket = config.train.batch.bucket();
  Batcher batcher(data.train, o);
  const Batch batch = batcher.next();
  const LossSetup setup = make_loss_setup(config.loss, data.target->size());
  const StepResult r =
      accumulate_gradients(model, setup, {&batch, 1}, {true, static_cast<uint64_t>(config.seed()), 1, 0});
  const auto mb = [](size_t bytes) { return static_cast<double>(bytes) / 1e6; };
  fmt::print("memory: {:.1f} MB parameters, gradients and moments; {:.1f} MB for one batch\n",
             4 * mb(model.store().values().bytes()), mb(Tape::current().high_water()));
  fmt::print("first batch: {} sentences, {} target tokens, padding {:.0f} %, loss {:.4f}{}\n", batch.batch,
             r.target_tokens, 100 * batch.padding(), r.loss.value(setup.options), unit_of(setup.options));
  return 0;
}

void final_report(const Config& config, const TrainJob& job, const std::string& run) {
  if (job.data.test.size() == 0) return;
  load_weights(run + "/checkpoints/best", job.model);
  const LossSetup setup = make_loss_setup(config.loss, job.data.target->size());
  const Evaluation e = evaluate(job.model, setup, job.data.test, *job.data.target, job.decode);
  const Task* task = task_of(config.data);
  std::string line =
      fmt::format("test: {} sentences{}: exact {:.1f} %  BLEU {:.1f}  loss {:.3f}{}", with_commas(e.sentences),
                  task ? task->test_note : "", 100 * e.sequence_accuracy, e.bleu, e.loss_value, unit_of(setup.options));
  if (task && task->baselines)
    for (const auto& [name, share] : task->baselines(task_options(config.data, static_cast<uint64_t>(config.seed())),
                                                     job.data.train.pairs, job.data.test.pairs))
      line += fmt::format(" | {} {:.0f} %", name, 100 * share);
  fmt::print("{}\n", line);
  for (const auto& [name, corpus] :
       job.data.reported) {  // what such a model may not be able to do: no part of the test
    const Evaluation r = evaluate(job.model, setup, corpus, *job.data.target, job.decode);
    fmt::print("      {}: {} sentences: exact {:.1f} %  BLEU {:.1f}\n", name, with_commas(r.sentences),
               100 * r.sequence_accuracy, r.bleu);
  }
  const std::string& first = job.data.test.pairs[0].source;
  const std::string example = task && task->sentences ? present(first) : first;
  fmt::print("Try:   echo '{}' | build/seqgrad translate {}\n", example, run);
  fmt::print("See:   {}/metrics.jsonl and {}/samples\n", run, run);
  fmt::print("Learn: build/seqgrad info --presets\n");
}

int train(const Options& o) {
  Config config;
  std::string run = o.resume;
  if (o.resume.empty()) {
    if (o.config.empty())
      refuse("train: a config file or --resume RUN is needed, e.g. seqgrad train configs/phrases.yaml");
    load(config, o.config, o.common.overrides());
  } else {
    if (!o.config.empty()) refuse("train: give a config file or --resume, not both");
    check_resume_overrides(o.common.overrides());
    if (!std::filesystem::exists(run + "/checkpoints/last/state.json"))
      refuse("{}: error: there is no checkpoint to resume from", run);
    load(config, run + "/config.resolved.yaml", o.common.overrides());
  }
  const std::string device = apply_process_settings(config);
  const auto seed = static_cast<uint64_t>(config.seed());
  const Data data = o.resume.empty() ? load_data(config.data, seed)
                                     : load_data(config.data, seed, load_tokenizer(run + "/source.vocab"),
                                                 load_tokenizer(run + "/target.vocab"));
  const Corpus& t = data.train;
  if (config.loss.mask.file() && t.mask.empty()) refuse("loss.mask.file: true needs data.mask or data.loss_from");
  if (config.loss.weights.token() && t.token_weight.empty())
    refuse("loss.weights.token: true needs data.weights.token");
  if (config.loss.weights.example() && t.example_weight.empty())
    refuse("loss.weights.example: true needs data.weights.example, a third TSV column or data.corrupt");
  if (config.loss.options().over != Over::all && config.loss.options().then == Then::nothing)
    refuse(
        "loss: this loss is a vector, and training differentiates a scalar; add one of the lines\n  loss: {{reduce: "
        "{{then: sum}}}}\n  loss: {{reduce: {{then: mean}}}}");
  check_memory(config, data.source->size(), data.target->size());
  const auto model = make_model(config, data.source->size(), data.target->size());
  if (o.dry_run) return dry_run(config, *model, data);

  if (o.resume.empty()) {
    if (o.run_dir.empty()) {
      run = new_run_directory(o.runs, config.name());
    } else {
      if (std::filesystem::exists(o.run_dir) && !std::filesystem::is_empty(o.run_dir))
        refuse("{}: error: is not empty; resume it with --resume, or name a new directory", o.run_dir);
      make_directories(run = o.run_dir);
    }
  }
  const RunLock lock(run);
  catch_stop_signals();
  if (o.resume.empty()) write_run_files(run, config, o.config, data, device);
  const TrainJob job{config, *model,      data,          {config.decode.max_ratio(), config.decode.max_extra()},
                     run,    o.max_steps, o.common.quiet};
  if (!o.common.quiet) {
    const char* stage = std::getenv("SEQGRAD_STAGE");  // scripts/train.sh counts what it does
    fmt::print(stderr, "{}{}\n", stage ? stage : "", describe_job(job, device));
    if (t.skipped.total() > 0)
      fmt::print(stderr, "skipped {} training pairs: {} blank, {} too long\n", t.skipped.total(), t.skipped.blank,
                 t.skipped.too_long);
    for (const std::string& d : differences(config)) fmt::print(stderr, "  {}\n", d);
  }
  Trainer trainer(job);
  if (!o.resume.empty()) trainer.restore(run + "/checkpoints/last");
  const Ending ending = trainer.run();
  if (ending == Ending::stopped || ending == Ending::max_steps) {
    fmt::print(stderr, "saved at step {}; go on with: build/seqgrad train --resume {}\n", trainer.state().step, run);
    return ending == Ending::stopped ? 128 + stop_signal() : 0;
  }
  final_report(config, job, run);
  return 0;
}

std::function<int()> declare(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("config", o->config, "Config file (YAML)")->type_name("CONFIG.yaml");
  app.add_option("--resume", o->resume, "Go on with a stopped run")->type_name("RUN");
  app.add_option("--run-dir", o->run_dir, "Write the run here instead of a new numbered directory under runs/")
      ->type_name("DIR");
  app.add_option("--max-steps", o->max_steps, "Stop after this step, without changing the schedule")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_flag("--dry-run", o->dry_run, "Load everything, run one batch, print the model, and stop");
  o->common.declare(app);
  return [o] { return train(*o); };
}

const bool registered = register_command({"train", "Train a model from a config, or resume a run",
                                          "seqgrad train configs/phrases.yaml --set optim.lr=0.002", declare});

}  // namespace
}  // namespace seqgrad

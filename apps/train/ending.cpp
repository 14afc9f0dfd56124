// How a run ends: stopped, broken off, or with the test and what to try next.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "apps/train/train.h"
#include "engine/comm/together.h"
#include "engine/data/surface.h"
#include "engine/io/signals.h"
#include "engine/nn/broadcast.h"
#include "engine/run/loaded_run.h"
#include "engine/text/numbers.h"
#include "engine/train/results.h"

namespace seqgrad {
namespace {

// How the run did on the test splits, one line each.
std::vector<std::string> test_lines(const Config& config, const TrainJob& job, Trainer& trainer) {
  if (job.data.test.size() == 0) return {};
  const Evaluation e = evaluate(job.model, job.loss, job.data.test, *job.data.target, job.decode, score_options(config),
                                {}, job.processes);
  const Task* task = task_of(config.data);
  trainer.record_result("test", e);
  std::string line =
      fmt::format("test: {}{}: {}  loss {}", counted(e.sentences, "sentence"), task ? task->test_note : "",
                  scores_text(e), printed_loss(e.loss_value, job.loss.options));
  if (task && task->baselines)
    for (const auto& [name, share] : task->baselines(task_options(config.data, static_cast<uint64_t>(config.seed())),
                                                     job.data.train.pairs.all(), job.data.test.pairs.all()))
      line += fmt::format(" | {} {:.0f} %", name, 100 * share);
  std::vector<std::string> lines = {line};
  for (const auto& [name, corpus] :
       job.data.reported) {  // what such a model may not be able to do: no part of the test
    const Evaluation r =
        evaluate(job.model, job.loss, corpus, *job.data.target, job.decode, score_options(config), {}, job.processes);
    trainer.record_result(name, r);
    lines.push_back(fmt::format("{}: {}: {}", name, counted(r.sentences, "sentence"), scores_text(r)));
  }
  return lines;
}

void final_report(const Config& config, const TrainJob& job, Trainer& trainer) {
  const During testing(trainer.times(), Work::test);
  from_first(job.processes, [&] { return load_best(job.run, config.checkpoint.average(), false, job.model)[0]; });
  broadcast(job.processes, job.model.store());
  const std::vector<std::string> lines = test_lines(config, job, trainer);
  trainer.write_report(lines);
  for (const std::string& line : lines) fmt::print("{}{}\n", &line == &lines[0] ? "" : "      ", line);
  if (std::fflush(stdout) != 0) throw std::system_error(errno, std::generic_category());  // before what follows it
  trainer.say_times();
  if (job.quiet) return;
  const Task* task = task_of(config.data);
  const Corpus& shown = job.data.test.size() > 0 ? job.data.test : job.data.dev;
  int64_t at = 0;
  while (at < shown.size() && shown.source.length(at) == 0) ++at;
  if (at < shown.size()) {
    const std::string& first = shown.pairs[static_cast<size_t>(at)].source;
    note(fmt::format("Try:   echo {} | {}", shell_quoted(task && task->sentences ? present(first) : first),
                     command_line({"translate", job.run})));
  }
  note(fmt::format("See:   {}/report.html", job.run));
  const std::string lesson = "configs/lessons/01_padding.yaml";  // in a checkout
  std::error_code ignored;
  note("Learn: " + (std::filesystem::exists(lesson, ignored)
                        ? command_line({"explain", lesson, "--html", "lesson.html"})
                        : command_line({"info", "--presets"})));
}

// The command that goes on with a run, for a person to copy.
std::string resume_command(const std::string& run) { return command_line({"train", "--resume", run}); }

// A system failure in training, with what the run still has.
[[noreturn]] void failed(const SystemError& e, const std::string& run) {
  const std::string last = last_checkpoint(run + "/checkpoints");
  std::error_code ignored;
  const std::string name = last.empty() ? "" : std::filesystem::canonical(last, ignored).filename().string();
  throw SystemError(fmt::format("{}\n{}; go on with: {}", e.what(),
                                name.empty() ? "no checkpoint was saved yet" : "the last whole checkpoint is " + name,
                                resume_command(run)));
}

}  // namespace

int train_in(Trainer& trainer, const TrainJob& job, const Config& config) {
  if (job.processes.rank() == 0)
    say_on_leaving("left without saving: what came after the last checkpoint is lost; go on with: " +
                   resume_command(job.run) + "\n");
  Ending ending{};
  try {
    ending = trainer.run();
  } catch (const SystemError& e) {
    failed(e, job.run);
  }
  if (ending == Ending::stopped || ending == Ending::max_steps) {
    trainer.say_times();
    note(fmt::format("saved at step {}; go on with: {}", trainer.state().step, resume_command(job.run)));
    const bool in_haste = ending == Ending::stopped && trainer.stop_signal() != SIGUSR1;
    return in_haste ? 128 + trainer.stop_signal() : 0;
  }
  release_stop_signals();
  final_report(config, job, trainer);
  return 0;
}

}  // namespace seqgrad

// Whole runs that several processes make together: one run directory, the bytes that one process alone writes.
#include <fmt/ranges.h>

#include <csignal>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "engine/comm/comm_threads.h"
#include "engine/comm/together.h"
#include "engine/io/signals.h"
#include "engine/run/setup.h"
#include "engine/train/trainer.h"
#include "tests/support/catch.h"
#include "tests/support/child.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
namespace fs = std::filesystem;

namespace {

// A model whose owner is asked before each forward pass of training.
struct Watched final : SequenceModel {
  std::unique_ptr<SequenceModel> model;
  std::function<void(SequenceModel&, uint64_t step)> before;
  ParameterStore& store() override { return model->store(); }
  ModelInputs inputs(StepInputs& in, const Batch& batch, const ForwardContext& context) override {
    if (context.training && before) before(*model, context.step);
    return model->inputs(in, batch, context);
  }
  Readout forward(const ModelInputs& inputs, Trace* trace) override { return model->forward(inputs, trace); }
  std::vector<std::vector<Hypothesis>> decode(const Batch& batch, const DecodeOptions& options) override {
    return model->decode(batch, options);
  }
};

struct Job {
  Config config;
  Data data;
  explicit Job(const std::vector<std::string>& more = {}) {
    std::vector<std::string> set = {"data={task: copy, sizes: {train: 90, dev: 70, test: 2}}",
                                    "model.embedding=3",
                                    "model.encoder.hidden=3",
                                    "model.decoder.hidden=6",
                                    "model.dropout.hidden=0.2",
                                    "train.teacher_forcing=0.7",
                                    "train.steps=24",
                                    "train.batch={size: 8, shards: 4}",
                                    "train.log_every=5",
                                    "train.validate_every=9",
                                    "loss={compare: [sum, token_mean]}",
                                    "optim.clip_norm=1",
                                    "decode.beam=2",
                                    "decode.max_ratio=1.0",
                                    "decode.max_extra=1",
                                    "threads=1"};
    set.insert(set.end(), more.begin(), more.end());
    load(config, "", set);
    data = load_data(config.data, 1);
  }

  // One of `processes` trains in `run`, from the last checkpoint where there is one.
  Ending train(const std::string& run, Processes& processes, std::optional<int64_t> max_steps = {},
               const std::function<void(SequenceModel&, uint64_t)>& before = {}, int* signal = nullptr) const {
    Watched model;
    model.model = make_model(config, {data.source->size(), data.target->size()});
    model.before = before;
    Trainer trainer(TrainJob{config, model, data, make_loss_setup(config.loss, data.target->size()),
                             config.decode_options(), run, max_steps, true, [] { return 0.0; }, processes});
    trainer.resume(from_first(processes, [&] { return last_checkpoint(run + "/checkpoints"); }));
    const Ending ending = trainer.run();
    if (signal) *signal = trainer.stop_signal();
    return ending;
  }

  void train_together(const std::string& run, int count, std::optional<int64_t> max_steps = {}) const {
    begin(run);
    run_as_processes(count, [&](Processes& p) { train(run, p, max_steps); });
  }

  static void begin(const std::string& run) {
    fs::create_directories(run);
    if (!fs::exists(run + "/run.json")) std::ofstream(run + "/run.json") << "{}";  // the command writes it
  }
};

// All that a run directory holds and that names no moment.
std::map<std::string, std::string> files(const std::string& run) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(run)) {
    const std::string name = entry.path().lexically_relative(run);
    if (entry.is_symlink())
      out[name] = "-> " + fs::read_symlink(entry.path()).string();
    else if (entry.is_regular_file() && name != "train.log")
      out[name.substr(0, name.find(".tfevents."))] = name.starts_with("tb/") ? "" : slurp(entry.path());
  }
  return out;
}

// Lines of metrics without what a run that was stopped in an interval counts otherwise.
std::string without_speed(const std::string& lines) {
  std::string out;
  std::stringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    auto row = nlohmann::ordered_json::parse(line);
    row.erase("tokens_per_second");
    out += row.dump() + "\n";
  }
  return out;
}

void check_same_files(const std::string& run, const std::map<std::string, std::string>& want) {
  const auto got = files(run);
  CHECK(got.size() == want.size());
  for (const auto& [name, content] : want) {
    CAPTURE(name);
    REQUIRE(got.contains(name));
    CHECK(got.at(name) == content);
  }
}

}  // namespace

TEST_CASE("one to four processes write the files that one alone writes") {
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"model.attention=general"},
        {"train.accumulation=3", "model.attention=additive"},
        {"train.epochs=2", "train.steps=null", "train.accumulation=2", "precision=fp64"}}) {
    const Scratch dir;
    const Job job(more);
    job.begin(dir / "alone/run");
    job.train(dir / "alone/run", alone());
    const auto want = files(dir / "alone/run");
    CHECK(want.contains("checkpoints/last/optim.safetensors") + want.contains("checkpoints/last") >= 1);
    CHECK(want.contains("metrics.jsonl"));
    CHECK(want.contains("report.html"));
    for (int count = 1; count <= 4; ++count) {
      const std::string run = dir / fmt::format("{}/run", count);  // the report has the directory's name
      CAPTURE(more, count);
      job.train_together(run, count);
      check_same_files(run, want);
    }
  }
}

TEST_CASE("a run goes on on another number of processes, and ends in the bytes of one that was never stopped") {
  const Scratch dir;
  const Job job;
  job.train_together(dir / "whole", 1);
  auto want = files(dir / "whole");
  std::pair<int, int64_t> parts[] = {{1, 7}, {3, 13}, {2, 20}, {4, 24}};
  for (const auto& [count, steps] : parts) job.train_together(dir / "parts", count, steps);
  auto got = files(dir / "parts");
  for (auto* of : {&want, &got}) {
    std::erase_if(*of, [](const auto& file) {
      return !file.first.starts_with("checkpoints/last") && !file.first.starts_with("checkpoints/step-000024") &&
             !file.first.starts_with("samples") && file.first != "metrics.jsonl";
    });
    of->at("metrics.jsonl") = without_speed(of->at("metrics.jsonl"));
  }
  CHECK(want.size() > 5);
  CHECK(got == want);
}

TEST_CASE("a signal stops all processes after the same step") {
  const Scratch dir;
  const Job job;
  Job::begin(dir / "run");
  CHECK(in_child([&] {
          catch_stop_signals();
          int stopped = 0;
          std::mutex mutex;
          run_as_processes(3, [&](Processes& p) {
            const auto before = [&](SequenceModel&, uint64_t step) {
              if (p.rank() == 2 && step == 11) std::raise(SIGUSR1);
            };
            int signal = 0;
            const Ending ending = job.train(dir / "run", p, {}, before, &signal);
            const std::scoped_lock lock(mutex);
            stopped += ending == Ending::stopped && signal == SIGUSR1;
          });
          return stopped;
        }) == 3);
  CHECK(fs::read_symlink(dir / "run/checkpoints/last") == "step-000011");
}

TEST_CASE("parameters of one process that differ end the run, with rank and host, at the next validation") {
  const auto said = [](uint64_t spoilt_at) {
    const Scratch dir;
    const Job job;
    Job::begin(dir / "run");
    std::vector<std::string> errors(3);
    run_as_processes(3, [&](Processes& p) {
      const auto before = [&](SequenceModel& model, uint64_t step) {
        if (p.rank() == 1 && step == spoilt_at) model.store().values().as<float>()[0] += 1e-3F;
      };
      errors[static_cast<size_t>(p.rank())] = error_of([&] { job.train(dir / "run", p, {}, before); });
    });
    CHECK(errors[1] == errors[0]);
    CHECK(errors[2] == errors[0]);
    return errors[0];
  };
  CHECK(said(4) ==
        "3 rank 1 (host here) holds other parameters than rank 0 (host here) at step 9; at step 0 they were equal");
  CHECK(said(12) ==
        "3 rank 1 (host here) holds other parameters than rank 0 (host here) at step 18; at step 9 they were equal");
  CHECK(said(24) ==
        "3 rank 1 (host here) holds other parameters than rank 0 (host here) at step 24; at step 18 they were equal");
}

TEST_CASE("a run that diverges ends in all processes with the words of one") {
  const Scratch dir;
  const Job job({"optim.lr=1e30", "optim.clip_norm=null"});
  Job::begin(dir / "alone");
  const std::string want = error_of([&] { job.train(dir / "alone", alone()); });
  CHECK(want.starts_with("1 step "));
  Job::begin(dir / "run");
  std::vector<std::string> errors(4);
  run_as_processes(
      4, [&](Processes& p) { errors[static_cast<size_t>(p.rank())] = error_of([&] { job.train(dir / "run", p); }); });
  CHECK(errors == std::vector<std::string>(4, want));
}

TEST_CASE("sentences that are translated together say, each in its place, what they say alone") {
  const Job job({"model.attention=general", "decode.beam=1"});
  const DecodeOptions decode = job.config.decode_options();
  std::vector<std::vector<int32_t>> sources;
  for (int64_t i = 0; i < 3 * job.data.train.size(); ++i)  // 270, so that a quarter of them is more than 64
    sources.push_back(job.data.train.source[i % job.data.train.size()]);
  const auto model = make_model(job.config, {job.data.source->size(), job.data.target->size()});
  const auto words = [&](std::span<const std::vector<int32_t>> of) {
    std::vector<std::vector<std::vector<int32_t>>> out;
    for (const auto& found : decode_all(*model, of, decode)) {
      out.emplace_back();
      for (const Hypothesis& h : found) out.back().push_back(h.ids);
    }
    return out;
  };
  const auto together = words(sources);
  REQUIRE(together.size() == sources.size());
  for (size_t i = 0; i < sources.size(); ++i) CHECK(together[i] == words({&sources[i], 1})[0]);
}

TEST_CASE("translations and evaluations that processes share are those of one, n-best lists and attention included") {
  const Job job({"model.attention=general", "decode.beam=3"});
  DecodeOptions decode = job.config.decode_options();
  decode.nbest = 3, decode.attention = true;
  std::vector<std::vector<int32_t>> sources;
  for (int64_t i = 0; i < 3 * job.data.train.size(); ++i) {  // 270, so that a quarter of them is more than 64
    if (i == 40) sources.emplace_back();
    sources.push_back(job.data.train.source[i % job.data.train.size()]);
  }
  const LossSetup loss = make_loss_setup(job.config.loss, job.data.target->size());
  const auto text = [&](Processes& p) {
    const auto model = make_model(job.config, {job.data.source->size(), job.data.target->size()});
    std::string out;
    for (const auto& found : decode_all(*model, sources, decode, p)) {
      for (const Hypothesis& h : found)
        out += fmt::format("{} {} {} {}; ", fmt::join(h.ids, " "), h.log_p, h.score, fmt::join(h.attention, " "));
      out += "\n";
    }
    const Evaluation e = evaluate(*model, loss, job.data.dev, *job.data.target, job.config.decode_options(),
                                  score_options(job.config), {}, p);
    return out + fmt::format("{} {} {} {} {} {} {} {}", e.loss_value, fmt::join(e.compared, " "), e.perplexity,
                             e.token_accuracy, e.chrf, e.blank, e.tokens, fmt::join(e.hypotheses, "|"));
  };
  const std::string want = text(alone());
  CHECK(want.size() > 5000);
  for (int count = 2; count <= 4; ++count) {
    std::vector<std::string> got(static_cast<size_t>(count));
    run_as_processes(count, [&](Processes& p) { got[static_cast<size_t>(p.rank())] = text(p); });
    CHECK(got == std::vector<std::string>(got.size(), want));
  }
}

// Times and speeds that a run tells, with a clock that the model moves; what it says of its beginning and its end.
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/overfitting.h"
#include "engine/train/trainer.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

double now = 0;

struct Killed {};

// A training step takes a second, a validation's batch 1,000, a translation 100.
struct Slow final : SequenceModel {
  std::unique_ptr<SequenceModel> model;
  uint64_t killed_in;  // this step
  Slow(std::unique_ptr<SequenceModel> m, uint64_t step) : model(std::move(m)), killed_in(step) {}
  ParameterStore& store() override { return model->store(); }
  ModelInputs inputs(StepInputs& in, const Batch& batch, const ForwardContext& context) override {
    if (context.training && context.step == killed_in) throw Killed();
    now += context.training ? 1 : 1000;
    return model->inputs(in, batch, context);
  }
  Readout forward(const ModelInputs& inputs, Trace* trace) override { return model->forward(inputs, trace); }
  std::vector<std::vector<Hypothesis>> decode(const Batch& batch, const DecodeOptions& options) override {
    now += 100;
    return model->decode(batch, options);
  }
};

struct Timed {
  Scratch dir;
  std::string run = dir / "run";
  Config config;
  Data data;
  explicit Timed(const std::vector<std::string>& more) {
    std::vector<std::string> set = {"data={task: copy, sizes: {train: 60, dev: 2, test: 2}}",
                                    "model.embedding=2",
                                    "model.encoder.hidden=2",
                                    "model.decoder.hidden=2",
                                    "train.steps=12",
                                    "train.batch.size=8",
                                    "train.log_every=4",
                                    "train.validate_every=10",
                                    "checkpoint.every=1",
                                    "report.samples=1",
                                    "decode.max_ratio=1.0",
                                    "decode.max_extra=1",
                                    "threads=1"};
    set.insert(set.end(), more.begin(), more.end());
    load(config, "", set);
    data = load_data(config.data, 1);
    std::filesystem::create_directories(run);
    std::ofstream(run + "/run.json") << "{}";
  }
  Ending train(std::optional<int64_t> max_steps = std::nullopt, std::optional<double> began = std::nullopt,
               uint64_t killed_in = 0) const {
    Slow model(make_model(config, {data.source->size(), data.target->size()}), killed_in);
    TrainJob job{config, model, data, make_loss_setup(config.loss, data.target->size()), {1, 1}, run, max_steps, true};
    job.clock = [] { return now; };
    job.began = began;
    Trainer trainer(job);
    trainer.resume(last_checkpoint(run + "/checkpoints"));
    const Ending ending = trainer.run();
    trainer.say_times();
    return ending;
  }
  nlohmann::json info() const { return nlohmann::json::parse(slurp(run + "/run.json")); }
  std::vector<nlohmann::json> records(const std::string& kind) const {
    std::vector<nlohmann::json> out;
    std::ifstream in(run + "/metrics.jsonl");
    for (std::string line; std::getline(in, line);)
      if (auto j = nlohmann::json::parse(line); j["kind"] == kind) out.push_back(j);
    return out;
  }
  std::string log() const { return slurp(run + "/train.log"); }
  // Target tokens, </s> included, of steps [from, to).
  double tokens(int64_t from, int64_t to) const {
    Batcher batcher(data.train, batch_options(config));
    double sum = 0;
    for (int64_t s = 0; s < to; ++s)
      if (const Batch b = batcher.next(); s >= from) sum += static_cast<double>(b.target_tokens());
    return sum;
  }
};

}  // namespace

TEST_CASE("tokens a second are of training time alone, also where a validation or a stop falls into the interval") {
  const Timed lab({});
  now = 0;
  lab.train(7);
  now = 50000;  // another process, later
  lab.train();
  const auto rows = lab.records("train");
  REQUIRE(rows.size() == 3);
  const std::pair<int64_t, int64_t> timed[] = {
      {0, 4}, {7, 8}, {8, 12}};  // of steps 4 to 8 one was timed by this process
  for (size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(i);
    const auto [from, to] = timed[i];
    const double want = lab.tokens(from, to) / static_cast<double>(to - from);
    CHECK(std::abs(rows[i]["tokens_per_second"].get<double>() - want) <= 1e-12 * want);
  }
  // Seconds and epochs in every record. Before the stop: samples, 7 steps, the report; a validation is its batch and
  // translations, of which samples are some, then a report.
  const double stop = 100 + 7 + 100, validation = 1000 + 100;
  CHECK(rows[0]["seconds"] == 104);
  CHECK(rows[1]["seconds"] == stop + 1);
  const auto dev = lab.records("dev");
  REQUIRE(dev.size() == 2);
  CHECK(dev[0]["seconds"] == stop + 3 + validation);
  CHECK(rows[2]["seconds"] == stop + 5 + validation + 100);
  CHECK(dev[1]["seconds"] == stop + 5 + validation + 100 + validation);
  CHECK(rows[2]["epoch"] == 12 / 8.0);  // 60 pairs are 8 batches
  CHECK(dev[0]["epoch"] == 10 / 8.0);
  CHECK(has(lab.log(), "step 12 of 12 after "));
}

TEST_CASE("the seconds of a run are known by kinds of work, which add up to the whole, over all of its processes") {
  const Timed lab({});
  using Json = nlohmann::json;
  now = 10;
  lab.train(7, 0);
  const double report = 100;
  Json want = {{"start", 10},      {"batches", 0},     {"steps", 7}, {"validation", 0}, {"samples", 100},
               {"checkpoints", 0}, {"report", report}, {"test", 0},  {"other", 0}};
  CHECK(lab.info()["seconds_of"] == want);
  CHECK(lab.info()["seconds"] == 217);
  CHECK(has(lab.log(), "96.8 % of 3:37 outside of training steps: samples 46.1 %, report 46.1 %, start 4.6 %\n"));

  now = 50000;
  lab.train(std::nullopt, 49998);
  want["start"] = 12, want["steps"] = 12, want["validation"] = 2 * 1100;
  want["report"] = report + 2 * report;  // each validation ends in one; the end of the run has nothing to add
  CHECK(lab.info()["seconds_of"] == want);
  CHECK(lab.info()["seconds"] == 12 + 12 + 2200 + 100 + 300);

  // Of runs that told no kinds there are the records: step 4 at 114 seconds.
  const Timed untold({});
  now = 10;
  untold.train(7, 0);
  std::ofstream(untold.run + "/run.json") << "{}";
  untold.train(8);
  want = {{"start", 0},       {"batches", 0},     {"steps", 1}, {"validation", 0}, {"samples", 0},
          {"checkpoints", 0}, {"report", report}, {"test", 0},  {"other", 114}};
  CHECK(untold.info()["seconds_of"] == want);
  CHECK(untold.info()["seconds"] == 215);
}

TEST_CASE("the seconds of a process that was killed are known by kinds up to its last checkpoint") {
  const Timed lab({"checkpoint.every=3"});
  now = 10;
  CHECK_THROWS_AS(lab.train(std::nullopt, 0, 6), Killed);
  nlohmann::json want = {{"start", 10},      {"batches", 0}, {"steps", 3}, {"validation", 0}, {"samples", 100},
                         {"checkpoints", 0}, {"report", 0},  {"test", 0},  {"other", 0}};
  CHECK(lab.info()["seconds_of"] == want);
  CHECK(lab.info()["seconds"] == 113);
  lab.train(5);
  want["steps"] = 5, want["report"] = 100;
  CHECK(lab.info()["seconds_of"] == want);
  CHECK(lab.info()["seconds"] == 215);
}

TEST_CASE("an early stop is said with its step and reason, and how to go on; so is a finished run that is resumed") {
  const Timed lab({"train.early_stopping.patience=2", "train.validate_every=1", "optim.lr=1.0e-300", "precision=fp64"});
  CHECK(lab.train() == Ending::early);  // step 1 is the best of equals
  CHECK(has(lab.log(),
            "stopped early at step 3 of 12: loss on dev was best at step 1, and no better in 2 validations "
            "since (train.early_stopping.patience)"));
  CHECK(lab.train() == Ending::early);
  CHECK(has(lab.log(),
            "this run stopped early, at step 3 of 12; it is only tested again; to train on, resume it with --set "
            "train.early_stopping.patience=4"));
  const Timed patient(
      {"train.early_stopping.patience=20", "train.validate_every=1", "optim.lr=1.0e-300", "precision=fp64"});
  CHECK(patient.train() == Ending::finished);
  CHECK(patient.train() == Ending::finished);
  CHECK(has(patient.log(),
            "this run is finished: step 12 of 12; it is only tested again; to train on, resume it with --set "
            "train.steps=24"));
}

TEST_CASE("what is odd about a run is said before it begins, one line each") {
  const Scratch dir;
  const std::string pairs = dir.write("pairs.tsv", "a b\tx\nb\ty\nc\tz\n"), others = dir.write("others.tsv", "b\tx\n");
  const auto said = [&](const std::string& dev, const std::string& set) {
    const std::string run = dir / "run";
    std::filesystem::remove_all(run);
    const Result r = run_seqgrad(dir, "train " +
                                          dir.write("c.yaml", "data: {train: {tsv: " + pairs + "}, dev: {tsv: " + dev +
                                                                  "}}\nmodel: {embedding: 2, encoder: "
                                                                  "{hidden: 2}, decoder: {hidden: 2}}\n") +
                                          " --run-dir " + run + " --set train.validate_every=3 " + set);
    CHECK(r.code == 0);
    return r.err;
  };
  const std::string all = said(pairs, "--set schedule.warmup=40");
  CHECK(has(all,
            "note: 10 steps in all for 3 pairs: a model hardly learns in so few; more train.epochs or a smaller "
            "train.batch.size (now 64 sentences) makes them more\n"));
  CHECK(has(all,
            "note: schedule.warmup is 40 steps, and the run has 10 steps: the rate rises to 0.00025 at its end and "
            "never reaches optim.lr, 0.001\n"));
  CHECK(has(all, "note: the dev pairs are training pairs: figures on dev tell what was learnt by heart"));
  CHECK_FALSE(has(said(others, "--set train.steps=10"), "note: "));
}

TEST_CASE("overfitting is said at the third validation that is worse than the best while training gets better") {
  Overfitting o;
  const double nan = std::nan("");
  const struct {
    double dev, train;
    bool said;
  } validations[] = {{3, 3, false},     {2, 2, false},     {2.1, 1.9, false}, {nan, 1.9, false},
                     {2.2, 2.5, false}, {2.2, 1.8, false}, {2.3, 1.7, true},  {2.4, 1.6, false},
                     {1.9, 1.5, false}, {2, 1.4, false},   {2, 1.4, false},   {2.1, 1.3, true}};
  int64_t step = 0;
  for (const auto& v : validations) {
    CAPTURE(++step);
    CHECK(o.update(step, v.dev, v.train) == v.said);
  }
  CHECK(o.step == 9);
  CHECK(o.dev == 1.9);
}

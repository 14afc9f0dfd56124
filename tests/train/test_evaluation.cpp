// What an evaluation counts, against sums made here from logits; what gradcheck and a dry run look at.
#include <cmath>

#include <nlohmann/json.hpp>

#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/results.h"
#include "engine/train/trainer.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

struct Scored {
  Scratch dir;
  std::string classes = dir.write("classes.txt", [] {
    std::string text;
    for (int i = 0; i < 54; ++i) text += fmt::format("{}\n", i % 3 == 0 ? 0.0 : 0.5 * i);
    return text;
  }());
  Config config;
  Data data;
  std::unique_ptr<SequenceModel> model;

  explicit Scored(const std::string& loss) {
    std::string text = loss;
    if (const size_t at = text.find("CLASSES"); at != std::string::npos) text.replace(at, 7, classes);
    load(config, "",
         {"data={task: copy, sizes: {train: 40, dev: 90, test: 2}}", "model.embedding=3", "model.encoder.hidden=3",
          "model.decoder.hidden=4", "precision=fp64", "decode.max_ratio=1.0", "decode.max_extra=1", "threads=1",
          "loss={" + text + "}"});
    data = load_data(config.data, 1);
    model = make_model(config, {data.source->size(), data.target->size()});
  }
  Evaluation look() const {
    const LossSetup setup = make_loss_setup(config.loss, data.target->size());
    return evaluate(*model, setup, data.dev, *data.target, config.decode_options(), score_options(config));
  }
};

struct Seen {
  double nll = 0, tokens = 0, correct = 0;
  std::vector<double> of_target, count;         // summed by target id
  std::vector<double> by_step, weight_by_step;  // with class weights, by time step
};

// Every dev sentence by itself, without padding.
Seen look(const Scored& lab, const std::vector<double>& class_weight) {
  Seen seen;
  const auto classes = static_cast<size_t>(lab.data.target->size());
  seen.of_target.resize(classes), seen.count.resize(classes);
  for (int64_t i = 0; i < lab.data.dev.size(); ++i) {
    const Batch batch = make_batch(lab.data.dev, {&i, 1}, 1);
    Tape::current().reset();
    const NoGrad no_grad;
    const Readout r = lab.model->forward(batch, {});
    const auto hidden = to_host<double>(r.hidden), weight = to_host<double>(r.weight), bias = to_host<double>(r.bias);
    const size_t width = hidden.size() / batch.target_out.size();
    for (size_t t = 0; t < batch.target_out.size(); ++t) {
      std::vector<double> z(bias);
      double sum = 0;
      for (size_t v = 0; v < classes; ++v) {
        for (size_t d = 0; d < width; ++d) z[v] += hidden[t * width + d] * weight[v * width + d];
        sum += std::exp(z[v]);
      }
      const auto y = static_cast<size_t>(batch.target_out[t]);
      const double nll = std::log(sum) - z[y];
      seen.nll += nll;
      seen.tokens += 1;
      seen.correct += std::max_element(z.begin(), z.end()) - z.begin() == static_cast<std::ptrdiff_t>(y);
      seen.of_target[y] += nll;
      seen.count[y] += 1;
      if (class_weight.empty()) continue;
      if (t >= seen.by_step.size()) seen.by_step.resize(t + 1), seen.weight_by_step.resize(t + 1);
      seen.by_step[t] += class_weight[y] * nll;
      seen.weight_by_step[t] += class_weight[y];
    }
  }
  return seen;
}

bool close(double got, double want) { return std::abs(got - want) <= 1e-12 * std::abs(want); }

}  // namespace

TEST_CASE("perplexity and token accuracy count every target token, whatever the loss leaves out") {
  for (const char* loss :
       {"preset: token_mean", "mask: {ignore_index: 7}", "mask: {ignore_index: 3}, smoothing: {epsilon: 0.2}",
        "weights: {class: {file: CLASSES, scope: target}}", "weights: {class: {file: CLASSES, scope: class}}",
        "preset: torch.mean, weights: {class: {file: CLASSES}}", "input: probs, mask: {ignore_index: 7}",
        "z_loss: 0.1"}) {
    CAPTURE(loss);
    const Scored lab(loss);
    const Seen seen = look(lab, {});
    const Evaluation e = lab.look();
    CHECK(close(e.perplexity, std::exp(seen.nll / seen.tokens)));
    CHECK(close(e.token_accuracy, seen.correct / seen.tokens));
    CHECK(e.tokens == static_cast<int64_t>(seen.tokens));
  }
}

TEST_CASE("the loss beside it keeps ignore_index and class weights") {
  const Scored ignoring("mask: {ignore_index: 7}");
  const Seen all = look(ignoring, {});
  CHECK(all.count[7] > 0);
  CHECK(close(ignoring.look().loss_value, (all.nll - all.of_target[7]) / (all.tokens - all.count[7])));
  const Scored weighted("weights: {class: {file: CLASSES, scope: target}}, reduce: {divide: weight}");
  const LossSetup setup = make_loss_setup(weighted.config.loss, weighted.data.target->size());
  const Seen seen = look(weighted, *setup.class_weight);
  double n = 0, d = 0;
  for (size_t v = 0; v < seen.count.size(); ++v) {
    n += (*setup.class_weight)[v] * seen.of_target[v];
    d += (*setup.class_weight)[v] * seen.count[v];
  }
  CHECK(close(weighted.look().loss_value, n / d));
}

TEST_CASE("an evaluation's loss is that of the corpus as one batch, though it looks at 64 sentences at a time") {
  const Scored sum("preset: sum");
  CHECK(close(sum.look().loss_value, look(sum, {}).nll));
  const Scored micro("preset: joeynmt.tokens, compare: [sum, joeynmt.batch]");
  const Seen seen = look(micro, {});
  const Evaluation e = micro.look();
  CHECK(close(e.loss_value, seen.nll / seen.tokens));
  CHECK(close(e.compared.at(0), seen.nll));
  CHECK(close(e.compared.at(1), seen.nll / 90));
  for (const bool mean : {true, false}) {
    const Scored steps(
        std::string("weights: {class: {file: CLASSES, scope: target}}, reduce: {over: batch, divide: weight, "
                    "then: ") +
        (mean ? "mean}" : "sum}"));
    const LossSetup setup = make_loss_setup(steps.config.loss, steps.data.target->size());
    const Seen by = look(steps, *setup.class_weight);
    double want = 0;
    for (size_t t = 0; t < by.by_step.size(); ++t)
      want += by.weight_by_step[t] == 0 ? 0 : by.by_step[t] / by.weight_by_step[t];
    CHECK(close(steps.look().loss_value, mean ? want / static_cast<double>(by.by_step.size()) : want));
  }
}

TEST_CASE("a corpus of which nothing counts has no loss, and its perplexity all the same") {
  std::string zeros;
  for (int i = 0; i < 54; ++i) zeros += "0\n";
  Scored lab("weights: {class: {file: CLASSES, scope: target}}, reduce: {divide: weight, on_zero: error}");
  lab.dir.write("classes.txt", zeros);
  const Evaluation e = lab.look();
  CHECK(std::isnan(e.loss_value));
  CHECK(std::isfinite(e.perplexity));
  CHECK(has(fmt::format("{}", printed_loss(e.loss_value, LossOptions{})), "nothing counted"));
}

TEST_CASE("gradcheck checks the loss that is trained, probabilities and their clip included") {
  const Scratch dir;
  const std::string tiny = "gradcheck " SEQGRAD_SOURCE_DIR
                           "/configs/copy.yaml --fast --set model.embedding=3 --set model.encoder.hidden=3 --set "
                           "model.decoder.hidden=4 --set 'data.sizes={train: 20, dev: 2, test: 2}' ";
  for (const char* more : {"--set loss.input=probs", "--set loss.input=logits",
                           "--set 'loss={input: probs, probs: {mode: clip_then_softmax, eps: 0.02}}'"}) {
    CAPTURE(more);
    const Result r = run_seqgrad(dir, tiny + more);
    CAPTURE(r.out, r.err);
    CHECK(r.code == 0);
    CHECK(has(r.out, "all gradients agree"));
  }
}

TEST_CASE("a dry run prints the loss of the step as its record will have it, unit included") {
  const Scratch dir;
  const std::string base = "train " SEQGRAD_SOURCE_DIR
                           "/configs/copy.yaml --threads 1 --set model.embedding=4 --set model.encoder.hidden=4 --set "
                           "model.decoder.hidden=4 --set 'data.sizes={train: 40, dev: 2, test: 2}' --set "
                           "train.epochs=null --set train.steps=1 --set train.log_every=1 --set train.batch.size=4 "
                           "--set report.samples=0 --set train.accumulation=3 ";
  int i = 0;
  for (const auto& [loss, unit] : {std::pair{"preset: marian.ce-mean-words", "/tok"},
                                   {"preset: marian.perplexity", " (perplexity)"},
                                   {"preset: marian.ce-mean", "/sent"},
                                   {"preset: sum", " (sum)"},
                                   {"preset: joeynmt.batch, compare: [sum]", "/sent"}}) {
    CAPTURE(loss);
    const std::string command = base + "--set 'loss={" + loss + "}' ", run = dir / fmt::format("run{}", i++);
    const Result dry = run_seqgrad(dir, command + "--dry-run");
    REQUIRE(run_seqgrad(dir, command + "--run-dir " + run).code == 0);
    const std::string metrics = slurp(run + "/metrics.jsonl");
    const double value = std::stod(metrics.substr(metrics.find("\"loss\":") + 7));
    CAPTURE(dry.out, metrics);
    CHECK(has(dry.out, "first step of 3 batches: 12 sentences, "));
    CHECK(has(dry.out, fmt::format(", loss {:.4f}{}\n", value, unit)));
    CHECK(has(slurp(run + "/train.log"), fmt::format("  loss {:.3f}{}", value, unit)));
  }
}

TEST_CASE("a dry run says every note and warning that training says") {
  const Scratch dir;
  dir.write("train.tsv", "a b\tc d\nb\td\na\tc\na\ta\n \tc\na b c d e f\tc\n");
  dir.write("dev.tsv", "a\tc\n");
  const std::string command =
      "train " + dir.write("c.yaml",
                           "data: {train: {tsv: train.tsv}, dev: {tsv: dev.tsv}, max_length: 5}\n"
                           "model: {embedding: 2, encoder: {hidden: 2}, decoder: {hidden: 2}}\n"
                           "loss: {mask: {ignore_index: 2}, smoothing: {epsilon: 0.1}}\n"
                           "schedule: {warmup: 1000}\ndecode: {max_ratio: 1.0, max_extra: 1}\n"
                           "train: {epochs: 1, log_every: 1}\n");
  const auto notices = [](const std::string& text) {
    std::vector<std::string> out;
    std::stringstream lines(text);
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("note: ") || line.starts_with("warning: ") || line.starts_with("skipped "))
        out.push_back(line);
    return out;
  };
  const Result dry = run_seqgrad(dir, command + " --dry-run"),
               real = run_seqgrad(dir, command + " --run-dir " + (dir / "r"));
  REQUIRE(dry.code == 0);
  REQUIRE(real.code == 0);
  for (const char* said :
       {"the model never learns to stop", "schedule.warmup is 1,000 steps", "skipped 2 training pairs"})
    CHECK(has(real.err, said));
  CHECK(notices(real.err).size() >= 5);
  CHECK(notices(dry.err) == notices(real.err));
  CHECK(notices(run_seqgrad(dir, command + " --dry-run -q").err).empty());
  CHECK_FALSE(has(dry.err, "no effect"));
  const std::string set = " --dry-run --set loss.smoothing.kind=others --set schedule.floor=0.1",
                    without = run_seqgrad(dir, command + set + " --set loss.smoothing.epsilon=0").err,
                    with = run_seqgrad(dir, command + set + " --set schedule.name=linear").err;
  CHECK(
      has(without, "note: loss.smoothing.kind has no effect while loss.smoothing.epsilon is 0: nothing is smoothed\n"));
  CHECK(has(without, "note: schedule.floor has no effect while schedule.name is constant: the rate does not fall\n"));
  CHECK_FALSE(has(with, "no effect"));
}

TEST_CASE("the test's figures stand in every place where a run's figures stand, under the names of evaluate --json") {
  const Scratch dir;
  const std::string run = dir / "run";
  const std::string base = "train " SEQGRAD_SOURCE_DIR
                           "/configs/copy.yaml --threads 1 --set model.embedding=4 --set model.encoder.hidden=4 --set "
                           "model.decoder.hidden=4 --set 'data.sizes={train: 40, dev: 4, test: 6}' --set "
                           "train.epochs=null --set train.steps=4 --set report.samples=0 --run-dir ";
  const double before = steady_seconds();
  const Result trained = run_seqgrad(dir, base + run);
  const double wall = steady_seconds() - before;
  REQUIRE(trained.code == 0);
  const auto want = nlohmann::json::parse(run_seqgrad(dir, "evaluate " + run + " --json").out);
  const auto of_run = nlohmann::json::parse(slurp(run + "/run.json"));
  nlohmann::json record;
  std::stringstream in(slurp(run + "/metrics.jsonl"));
  int tests = 0;
  for (std::string line; std::getline(in, line);) {
    const auto j = nlohmann::json::parse(line);
    CHECK(j["seconds"].is_number());
    CHECK(j["epoch"].is_number());
    if (j["kind"] == "test") record = j, ++tests;
  }
  REQUIRE(tests == 1);
  CHECK(record["step"] == 4);
  for (const char* name :
       {"loss", "perplexity", "token_accuracy", "sequence_accuracy", "chrf", "sentences", "tokens"}) {
    CAPTURE(name);
    CHECK(record[name] == want[name]);
    CHECK(of_run["results"]["test"][name] == want[name]);
  }
  CHECK(has(slurp(run + "/metrics.csv"), "\ntest,4,"));
  double seconds = 0;
  for (const char* work : work_names) {
    CAPTURE(work);
    const auto of_work = of_run["seconds_of"][work].get<double>();
    CHECK(of_work >= 0);
    CHECK((of_work > 0 || work == std::string("samples")));  // report.samples is 0
    seconds += of_work;
  }
  CHECK(of_run["seconds_of"].size() == work_names.size());
  CHECK(std::abs(of_run["seconds"].get<double>() - seconds) < 1e-9);
  CHECK(seconds < wall);
  CHECK(has(trained.err, " outside of training steps: "));
  REQUIRE(run_seqgrad(dir, "train --resume " + run).code == 0);  // finished: tested again, in place of the first
  const std::string again = slurp(run + "/metrics.jsonl");
  CHECK(again.find("\"kind\":\"test\"") != std::string::npos);
  CHECK(again.find("\"kind\":\"test\"") == again.rfind("\"kind\":\"test\""));
}

// Exactly the epochs that are asked for, whatever the accumulation: steps, records, progress, schedules, resumed runs.
#include "engine/train/run_length.h"

#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/catch.h"
#include "tests/support/corpora.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

// `pairs` pairs, in batches of one.
std::string command(const Scratch& dir, int64_t pairs, const std::string& train) {
  std::string text;
  for (int64_t i = 0; i < pairs; ++i) text += i % 2 ? "a b\tc d\n" : "b\td\n";
  dir.write("train.tsv", text);
  dir.write("dev.tsv", "a\tc\n");
  return "train " + dir.write("c.yaml",
                              "data: {train: {tsv: train.tsv}, dev: {tsv: dev.tsv}}\n"
                              "model: {embedding: 2, encoder: {hidden: 2}, decoder: {hidden: 2}}\n"
                              "optim: {lr: 0.01}\nschedule: {name: linear}\ndecode: {max_ratio: 1.0, max_extra: 1}\n"
                              "train: {batch: {size: 1}, log_every: 1, validate_every: 100, " +
                                  train + "}\n");
}

std::vector<nlohmann::json> records(const std::string& run) {
  std::vector<nlohmann::json> out;
  std::ifstream in(run + "/metrics.jsonl");
  for (std::string line; std::getline(in, line);)
    if (auto j = nlohmann::json::parse(line); j["kind"] == "train") out.push_back(j);
  return out;
}

std::unique_ptr<Config> config_of(const std::vector<std::string>& more) {
  std::vector<std::string> set = {"data.task=copy"};
  set.insert(set.end(), more.begin(), more.end());
  auto c = std::make_unique<Config>();
  load(*c, "", set);
  return c;
}

Corpus corpus_of(int64_t size) {
  Corpus c;
  c.name = "train";
  std::vector<std::vector<int32_t>> rows;
  for (int64_t i = 0; i < size; ++i) {
    rows.emplace_back(static_cast<size_t>(1 + i * 7 % 13), 5);
    c.pairs.push_back({});
    c.lines.push_back(i + 1);
  }
  c.source = c.target = rows_of(rows);
  return c;
}

}  // namespace

TEST_CASE("a run counted in epochs reads exactly those, whatever the accumulation") {
  struct Case {
    int64_t batches, epochs, accumulation, steps;
    const char* last;  // progress line
  };
  for (const Case& c : {Case{2, 2, 100, 1, "epoch 2/2  1/1 "}, Case{2, 1, 8, 1, "epoch 1/1  1/1 "},
                        Case{2, 2, 3, 2, "epoch 2/2  2/2 "}, Case{63, 1, 50, 2, "epoch 1/1  2/2 "},
                        Case{4, 3, 2, 6, "epoch 3/3  2/2 "}, Case{3, 2, 1, 6, "epoch 2/2  3/3 "}}) {
    CAPTURE(c.batches, c.epochs, c.accumulation);
    const Scratch dir;
    const Result r = run_seqgrad(
        dir, command(dir, c.batches, fmt::format("epochs: {}, accumulation: {}", c.epochs, c.accumulation)) +
                 " --run-dir " + (dir / "run"));
    REQUIRE(r.code == 0);
    const auto rows = records(dir / "run");
    REQUIRE(std::ssize(rows) == c.steps);
    CHECK(rows.back()["epoch"] == static_cast<double>(c.epochs));
    for (int64_t s = 0; s < c.steps; ++s)  // of lr 0.01, falling in a line over the steps there are
      CHECK(std::abs(rows[static_cast<size_t>(s)]["lr"].get<double>() -
                     0.01 * (1 - static_cast<double>(s) / static_cast<double>(c.steps))) < 1e-15);
    CHECK(has(r.err, std::string("\n") + c.last));
    CHECK(has(r.err, fmt::format("step {} of {} after ", c.steps, c.steps)));
  }
}

TEST_CASE("a run counted in steps takes full steps") {
  const Scratch dir;
  const Result r =
      run_seqgrad(dir, command(dir, 2, "epochs: null, steps: 3, accumulation: 5") + " --run-dir " + (dir / "run"));
  REQUIRE(r.code == 0);
  const auto rows = records(dir / "run");
  REQUIRE(rows.size() == 3);
  CHECK(rows.back()["epoch"] == 7.5);
}

TEST_CASE("a run whose last step is short goes on to the epochs asked for, and resumed it has the same bytes") {
  const Scratch dir;
  const std::string train = command(dir, 5, "epochs: 2, accumulation: 4"), whole = dir / "whole", run = dir / "run";
  REQUIRE(run_seqgrad(dir, train + " --run-dir " + whole).code == 0);
  REQUIRE(records(whole).size() == 3);  // of 4, 4 and 2 batches
  for (const char* stop : {"1", "2"}) {
    const std::string part = dir / stop;
    REQUIRE(run_seqgrad(dir, train + " --max-steps " + stop + " --run-dir " + part).code == 0);
    const Result dry = run_seqgrad(dir, "train --dry-run --resume " + part);
    CHECK(has(dry.out, std::string("next step of ") + (*stop == '1' ? "4" : "2") + " batches: "));
    REQUIRE(run_seqgrad(dir, "train --resume " + part).code == 0);
    for (const char* file : {"model.safetensors", "optim.safetensors", "state.json"})
      CHECK(slurp(whole + "/checkpoints/last/" + file) == slurp(part + "/checkpoints/last/" + file));
  }
  // 5 of the 15 batches are left: a step of 4 and one of 1
  REQUIRE(run_seqgrad(dir, "train --set train.epochs=3 --max-steps 4 --resume " + whole).code == 0);
  CHECK(records(whole).back()["epoch"] == 2.8);
  const Result rest = run_seqgrad(dir, "train --resume " + whole);
  REQUIRE(rest.code == 0);
  CHECK(records(whole).size() == 5);
  CHECK(records(whole).back()["epoch"] == 3.0);
  CHECK(has(rest.err, "step 5 of 5 after "));
}

TEST_CASE("batches of tokens are counted epoch by epoch, as many as there are") {
  const Corpus corpus = corpus_of(97);
  const auto loaded = config_of(
      {"train.epochs=9", "train.accumulation=4", "train.batch.by=tokens", "train.batch.size=40", "train.batch.pool=1"});
  const Config& c = *loaded;
  Batcher batcher(corpus, batch_options(c));
  int64_t batches = 0;
  std::set<int64_t> numbers;
  for (int64_t e = 0; e < 9; ++e) batches += batcher.batches(e), numbers.insert(batcher.batches(e));
  REQUIRE(numbers.size() > 1);  // else the test tells nothing
  const RunLength length(c, corpus);
  TrainState s;
  CHECK(length.steps(s) == (batches + 3) / 4);
  while (s.epoch < 9) {
    for (int64_t i = length.micro_batches(s); i > 0; --i) batcher.next();
    ++s.step;
    s.epoch = batcher.position().epoch, s.index = batcher.position().index;
    CHECK(length.steps(s) == (batches + 3) / 4);
  }
  CHECK(s.epoch == 9);
  CHECK(s.index == 0);
  CHECK(s.step == (batches + 3) / 4);
}

// The executable as a person uses it: exit codes, first lines of errors, runs that resume, pipes.
#include <test_paths.h>
#include <algorithm>

#include "engine/io/safetensors.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace fs = std::filesystem;

namespace {

// A model that trains in a second.
std::string tiny_config(const Scratch& dir, const std::string& more = "") {
  return dir.write("tiny.yaml",
                   "name: tiny\ndata: {task: copy, sizes: {train: 200, dev: 20, test: 20}}\n"
                   "model: {embedding: 8, encoder: {hidden: 8}, decoder: {hidden: 16}, dropout: {hidden: 0.1}}\n"
                   "train: {steps: 12, batch: {size: 16}, log_every: 4, validate_every: 6}\n" +
                       more);
}

std::string without_times(const std::string& metrics) {
  std::stringstream in(metrics);
  std::string out;
  for (std::string line; std::getline(in, line);) out += line.substr(0, line.find(",\"seconds\"")) + "\n";
  return out;
}

}  // namespace

TEST_CASE("help, version and mistakes on the command line") {
  const Scratch dir;
  CHECK(run_seqgrad(dir, "--version").out.find("seqgrad 0.") == 0);
  for (const char* command : {"train", "evaluate", "translate", "data", "config", "gradcheck", "bench", "info"}) {
    CAPTURE(command);
    const Result help = run_seqgrad(dir, std::string(command) + " --help");
    CHECK(help.code == 0);
    CHECK(help.out.find("Example:\n  ") != std::string::npos);
  }
  for (const char* wrong :
       {"", "trian x", "train", "train a.yaml --resume b", "data", "info --nonsense", "config --schema --reference"}) {
    CAPTURE(wrong);
    const Result r = run_seqgrad(dir, wrong);
    CHECK(r.code == 2);
    CHECK(r.out.empty());
    CHECK(first_line(r.err).find("error: ") != std::string::npos);
    CHECK(first_line(r.err).size() <= 400);
  }
}

TEST_CASE("a refused run says where and leaves nothing behind") {
  const Scratch dir;
  const std::string config =
      dir.write("bad.yaml", "data: {task: copy}\nloss:\n  label_smothing: 0.1\ntrain:\n  lr: 0.1\n  steps: 1e3\n");
  const Result r = run_seqgrad(dir, "train " + config + " --run-dir " + (dir / "run"));
  CHECK(r.code == 2);
  CHECK(r.err.find("bad.yaml:3:3: error: unknown key 'label_smothing' in 'loss'") != std::string::npos);
  CHECK(r.err.find("'lr' belongs in 'optim', not in 'train'") != std::string::npos);
  CHECK(r.err.find("train.steps: expected an integer, got '1e3' (write 1000)") != std::string::npos);
  CHECK(r.err.find("3 errors; nothing was run") != std::string::npos);
  CHECK_FALSE(fs::exists(dir / "run"));
  CHECK(run_seqgrad(dir, "train " + (dir / "missing.yaml")).code == 2);
  if (!no_gpu(dir).empty())
    CHECK(run_seqgrad(dir, "train " + tiny_config(dir) + " --device cuda --run-dir " + (dir / "run")).code == 3);
  CHECK(
      run_seqgrad(dir, "train " + tiny_config(dir, "loss: {weights: {token: true}}\n") + " --run-dir " + (dir / "run"))
          .err.find("needs data.weights.token") != std::string::npos);
  const Result vector = run_seqgrad(dir, "train " + tiny_config(dir, "loss: {preset: tf1.sequence_loss_by_example}\n") +
                                             " --run-dir " + (dir / "run"));
  CHECK(vector.code == 2);
  CHECK(vector.err.find("then: sum") != std::string::npos);
  CHECK(run_seqgrad(dir, "train " + tiny_config(dir) +
                             " --set model.decoder.hidden=60000 --set model.embedding=60000 --run-dir " + (dir / "run"))
            .err.find("this machine has") != std::string::npos);
  CHECK_FALSE(fs::exists(dir / "run"));
}

TEST_CASE("a stopped and resumed run ends in the same bytes as an uninterrupted one, on any number of threads") {
  for (const std::string set : {"",
                                " --set train.batch.shards=4 --set train.accumulation=3 --set "
                                "train.teacher_forcing=0.7 --set model.dropout.hidden=0.2"}) {
    const Scratch dir;
    const std::string config = tiny_config(dir), train = "train " + config + set + " --run-dir ";
    CAPTURE(set);
    REQUIRE(run_seqgrad(dir, train + (dir / "whole --threads 1")).code == 0);
    REQUIRE(run_seqgrad(dir, train + (dir / "parts --threads 3 --max-steps 5")).code == 0);
    REQUIRE(run_seqgrad(dir, "train --resume " + (dir / "parts --threads 2")).code == 0);
    for (const char* file : {"model.safetensors", "optim.safetensors", "state.json"}) {
      CAPTURE(file);
      CHECK(slurp(dir / (std::string("whole/checkpoints/last/") + file)) ==
            slurp(dir / (std::string("parts/checkpoints/last/") + file)));
    }
    CHECK(without_times(slurp(dir / "whole/metrics.jsonl")) == without_times(slurp(dir / "parts/metrics.jsonl")));
    CHECK(without_times(slurp(dir / "whole/metrics.jsonl")).size() > 200);
    for (const char* key : {"optim.lr=0.5", "train.batch.shards=2"})
      CHECK(run_seqgrad(dir, "train --resume " + (dir / "parts --set ") + key).code == 2);
    CHECK(run_seqgrad(dir, train + (dir / "parts")).err.find("is not empty") != std::string::npos);
  }
}

TEST_CASE("translate gives a line for a line") {
  const Scratch dir;
  REQUIRE(run_seqgrad(dir, "train " + tiny_config(dir) + " --run-dir " + (dir / "run")).code == 0);
  const std::string run = dir / "run";
  CHECK(run_seqgrad(dir, "translate " + run).out.empty());
  const Result r = run_seqgrad(dir, "translate " + run, "1 2 3\n\n4 5\n7 hundred");
  CHECK(r.code == 0);
  CHECK(std::count(r.out.begin(), r.out.end(), '\n') == 4);
  std::stringstream lines(r.out);
  std::string line;
  std::getline(lines, line);
  std::getline(lines, line);
  CHECK(line.empty());
  CHECK(r.err.find("line 4: 'hundred' is not in the vocabulary") != std::string::npos);
  CHECK(run_seqgrad(dir, "translate " + run, "1 \xff 2\n").err.find("line 1: byte 3 is not UTF-8") !=
        std::string::npos);
  CHECK(run_seqgrad(dir, "translate " + run, std::string(1100000, 'x')).code == 2);
  CHECK(run_seqgrad(dir, "translate " + (dir / "nowhere")).code == 2);
  dir.write("in", "1 2\n");
  const int full = std::system(
      (std::string(SEQGRAD_BINARY) + " translate " + run + " < " + (dir / "in") + " > /dev/full 2> " + (dir / "err"))
          .c_str());
  CHECK(WEXITSTATUS(full) == 3);
}

TEST_CASE("evaluate, data, config, info and gradcheck answer") {
  const Scratch dir;
  const std::string config = tiny_config(dir), run = dir / "run";
  REQUIRE(run_seqgrad(dir, "train " + config + " -q --run-dir " + run).code == 0);
  const Result e = run_seqgrad(dir, "evaluate " + run + " --json");
  CHECK(e.out.find("{\"split\":\"test\",\"loss\":") == 0);
  CHECK(e.out.find("\"bleu_signature\":\"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:") != std::string::npos);
  CHECK(run_seqgrad(dir, "evaluate " + run + " --split length_30").code == 0);
  CHECK(
      run_seqgrad(dir, "evaluate " + run + " --split nonsense").err.find("this run has train, dev, test, length_30") !=
      std::string::npos);
  const std::string src = dir.write("src", "1 2\n3\n"), ref = dir.write("ref", "1 2\n3\n");
  CHECK(run_seqgrad(dir, "evaluate " + run + " --src " + src + " --ref " + ref).out.find("2 sentences, 5 tokens") !=
        std::string::npos);
  const Result d = run_seqgrad(dir, "data " + config + " --split dev --head 3");
  CHECK(std::count(d.out.begin(), d.out.end(), '\n') == 3);
  CHECK(std::count(d.out.begin(), d.out.end(), '\t') == 3);
  CHECK(run_seqgrad(dir, "config " + config + " --resolved --seed 9").out.find("seed: 9 ") != std::string::npos);
  CHECK(run_seqgrad(dir, "config --reference").out.find("| `divide` | divisor or null |") != std::string::npos);
  CHECK(run_seqgrad(dir, "info --presets").out.find("tf1.sequence_loss_by_example") != std::string::npos);
  CHECK(run_seqgrad(dir, "info").out.find("gpu      none") != std::string::npos);
  const Result g = run_seqgrad(dir, "gradcheck " + config + " --sentences 2 --elements 8");
  CHECK(g.code == 0);
  CHECK(g.out.find("all gradients agree") != std::string::npos);
  CHECK(run_seqgrad(dir, "train " + config + " --dry-run").out.find("first batch: 16 sentences") != std::string::npos);
  const std::string dealt = run_seqgrad(dir, "train " + config + " --dry-run --set train.batch.shards=3").out;
  CHECK_THAT(dealt, Catch::Matchers::Contains("shards: 3 of a batch; processes that wait for the largest lose "));
}

TEST_CASE("a damaged checkpoint is refused with tensor and reason") {
  const Scratch dir;
  const std::string run = dir / "run";
  REQUIRE(run_seqgrad(dir, "train " + tiny_config(dir) + " -q --run-dir " + run).code == 0);
  const std::string weights = run + "/checkpoints/best/model.safetensors", good = slurp(weights);
  const auto damaged = [&](std::string bytes) {
    std::ofstream(weights, std::ios::binary) << bytes;
    return run_seqgrad(dir, "evaluate " + run);
  };
  std::string flipped = good;
  flipped[good.size() - 5] ^= 1;
  const Result r = damaged(flipped);
  CHECK(r.code == 2);
  CHECK(first_line(r.err).find("error: tensor '") != std::string::npos);
  CHECK(first_line(r.err).find("the data differ from their checksum") != std::string::npos);
  CHECK(damaged(good.substr(0, good.size() / 2)).code == 2);
  CHECK(damaged(good + "x").err.find("bytes follow the last tensor") != std::string::npos);
  seqgrad::SafetensorsFile f = seqgrad::parse_safetensors("x", good);
  f.tensors[0].shape = {static_cast<int64_t>(f.tensors[0].numel())};
  seqgrad::write_safetensors(weights, f.tensors);
  CHECK(run_seqgrad(dir, "evaluate " + run).err.find("the model has [") != std::string::npos);
  f.tensors.pop_back();
  CHECK(damaged(good).code == 0);
}

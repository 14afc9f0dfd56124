// The options that sub-commands share, and those of bench and info: what each changes.
#include <test_paths.h>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "engine/core/thread_pool.h"
#include "engine/run/process_settings.h"
#include "engine/train/config.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

std::string two_steps(const Scratch& dir) {
  return dir.write("tiny.yaml",
                   "name: tiny\ndata: {task: copy, sizes: {train: 100, dev: 10, test: 10}}\n"
                   "model: {embedding: 4, encoder: {hidden: 4}, decoder: {hidden: 4}}\n"
                   "train: {steps: 2, batch: {size: 16}, validate_every: 2}\ndecode: {max_ratio: 1.0}\n");
}

int lines(const std::string& text) { return static_cast<int>(std::count(text.begin(), text.end(), '\n')); }

}  // namespace

TEST_CASE("train: seed, quiet, verbose, device") {
  const Scratch dir;
  const std::string config = two_steps(dir);
  const auto weights = [&](const std::string& run) {
    return slurp(dir / (run + "/checkpoints/last/model.safetensors"));
  };
  const auto train = [&](const std::string& options, const std::string& run) {
    const Result r = run_seqgrad(dir, "train " + config + " " + options + " --run-dir " + (dir / run));
    CAPTURE(r.err);
    CHECK(r.code == 0);
    return r;
  };
  const Result plain = train("--seed 1 --device cpu", "a"), quiet = train("-q --seed 1 --device auto", "b"),
               verbose = train("-v --seed 2", "c");
  CHECK(weights("a") == weights("b"));
  CHECK(weights("a") != weights("c"));
  CHECK(quiet.err.empty());
  CHECK(quiet.out == plain.out);
  CHECK(has(plain.err, "Try:   echo "));
  CHECK(has(verbose.err, "data: train 100 pairs, dev 10, test 10, length_30 "));
  CHECK(has(verbose.err, "# default\n"));
  CHECK(has(verbose.err, "# --set seed=2\n"));
  CHECK_FALSE(has(plain.err, "# default\n"));
  const std::string why = no_gpu(dir);
  if (why.empty()) return;
  const Result cuda = run_seqgrad(dir, "train " + config + " --device cuda --run-dir " + (dir / "d"));
  CHECK(cuda.code == 3);
  CHECK(first_line(cuda.err) ==
        "error: device cuda: " +
            (why == "built without CUDA" ? "this build has no CUDA support; use --device cpu" : why));
  CHECK_FALSE(fs::exists(dir / "d"));
}

TEST_CASE("evaluate and translate: shared options") {
  const Scratch dir;
  const std::string config = two_steps(dir), run = dir / "run";
  REQUIRE(run_seqgrad(dir, "train " + config + " -q --run-dir " + run).code == 0);
  const auto evaluate = [&](const std::string& options) { return run_seqgrad(dir, "evaluate " + run + " " + options); };
  const Result plain = evaluate("--json --checkpoint step-000002");
  CHECK(plain.code == 0);
  CHECK(plain.err.empty());
  CHECK(evaluate("--json --threads 3 --device cpu -q").out == plain.out);
  CHECK(evaluate("--json --seed 5").out != plain.out);  // other test pairs
  CHECK(json::parse(evaluate("--json --set loss.preset=sum").out)["divisor"] == "1");
  CHECK(has(evaluate("-v").err, "checkpoint: best, "));
  CHECK(evaluate("--threads 0").code == 2);
  CHECK(evaluate("--device cuda").code == (no_gpu(dir).empty() ? 0 : 3));
  const auto translate = [&](const std::string& options) {
    return run_seqgrad(dir, "translate " + run + " " + options, "1 2 3\n4 zebra\n");
  };
  const Result answer = translate("--checkpoint last");
  CHECK(lines(answer.out) == 2);
  CHECK(has(answer.err, "'zebra' is not in the vocabulary"));
  CHECK(translate("--threads 2 --seed 3 --device cpu").out == answer.out);
  CHECK(translate("-q").err.empty());
  CHECK(has(translate("-v").err, "vocabularies: 54 source, 54 target"));
  CHECK(translate("--set decode.max_ratio=0.01 --set decode.max_extra=1").out != answer.out);
  for (const char* key : {"optim.lr=3", "optim={lr: 3}", "train.steps=5", "model.dropout.hidden=0.5",
                          "data.vocabulary.kind=char", "checkpoint.keep_best=2", "report.samples=1", "name=x"})
    for (const auto& command : {std::string("evaluate "), std::string("translate ")}) {
      const Result r = run_seqgrad(dir, command + run + " --set '" + key + "'", "1 2 3\n");
      CAPTURE(command, key, r.err);
      CHECK(r.code == 2);
      CHECK(r.err == fmt::format("error: --set {}: has no effect on a run that is trained; leave it out\n", key));
    }
  CHECK(evaluate("--json --set checkpoint.average=1 --set 'report={bleu: {tokenize: char}}'").code == 0);
  CHECK(translate("--beam 2 --set decode.beam=3").err ==
        "error: --beam 2 and --set decode.beam=3 contradict each other; leave one of them out\n");
  CHECK(translate("--threads 2 --set threads=1").err ==
        "error: --threads 2 and --set threads=1 contradict each other; leave one of them out\n");
  CHECK(translate("--threads 2 --set threads=2").code == 0);
  CHECK(has(translate("--beam 1001").err, "--beam: expected a whole number from 1 to 1000, got '1001'"));
  CHECK(translate("--device cuda").code == (no_gpu(dir).empty() ? 0 : 3));
}

TEST_CASE("data, config and gradcheck: shared options") {
  const Scratch dir;
  const std::string config = two_steps(dir);
  const auto data = [&](const std::string& options) { return run_seqgrad(dir, "data " + config + " " + options); };
  const Result plain = data("--all --split test");
  CHECK(lines(plain.out) == 10);
  CHECK(data("--all --split test -q --threads 2 --device cpu").out == plain.out);
  CHECK(data("-q").err.empty());
  CHECK(data("--all --split test --seed 7").out != plain.out);
  CHECK(lines(data("--all --set data.sizes.train=20").out) == 20);
  CHECK(has(data("-v --head 0").err, "data: train 100 pairs"));
  CHECK(data("--head 0").out.empty());
  const Result tagged = run_seqgrad(dir, "data " SEQGRAD_SOURCE_DIR
                                         "/configs/phrases.yaml --tags --split dev --head 4 "
                                         "--set data.sizes.train=200 --set data.sizes.dev=8 --set data.sizes.test=8");
  CHECK(std::count(tagged.out.begin(), tagged.out.end(), '\t') == 8);

  const auto describe = [&](const std::string& options) {
    return run_seqgrad(dir, "config " + config + " " + options);
  };
  CHECK(describe("--seed 4 --threads 2 --device cpu -q").out.find("seed = 4 (default 1)\nthreads") ==
        std::string::npos);
  CHECK(has(describe("--seed 4 --threads 2 --device cpu").out,
            "seed = 4 (default 1)\ndevice = cpu (default auto)\nthreads = 2"));
  CHECK(has(describe("--resolved --set optim.lr=0.5").out, "# --set optim.lr=0.5\n"));
  CHECK(has(describe("-v").err, " keys differ from their defaults\n"));

  const auto check = [&](const std::string& options) {
    return run_seqgrad(dir, "gradcheck " + config + " --sentences 1 --elements 2 " + options);
  };
  const Result gradients = check("--seed 3 --threads 1 --device cpu -q");
  CHECK(gradients.code == 0);
  CHECK(check("--seed 3 --threads 2").out == gradients.out);
  CHECK(check("--set loss.preset=sum -v --seed 3").out != gradients.out);
  CHECK(has(check("-v").err, "data: train 100 pairs"));
  const Result huge = check("--set model.decoder.hidden=65536 --set model.embedding=65536");
  CHECK(huge.code == 2);
  CHECK(has(huge.err, "error: the model needs, for "));
  CHECK(has(huge.err, " MB; this machine has "));
}

TEST_CASE("bench prints what it was asked to time") {
  const Scratch dir;
  const auto bench = [&](const std::string& options) {
    const Result r = run_seqgrad(dir, "bench " + options);
    CAPTURE(r.err);
    REQUIRE(r.code == 0);
    return json::parse(r.out);
  };
  const json step = bench(
      "step --preset small --attention general --precision fp64 --threads 2 --device cpu --steps 2 "
      "--warmup 0 --json");
  CHECK(step["attention"] == "general");
  CHECK(step["precision"] == "fp64");
  CHECK(step["threads"] == 2);
  CHECK(step["ms_per_step"]["n"] == 2);
  CHECK(step["ms_per_step"]["p25"] <= step["ms_per_step"]["median"]);
  CHECK(step["ms_per_step"]["median"] <= step["ms_per_step"]["p75"]);
  CHECK(step["target_tokens_per_s"] > 0);
  CHECK(!step.contains("phases"));
  const json phases = bench("step --attention general --threads 1 --steps 2 --warmup 1 --phases");
  double sum = 0;
  for (const char* name :
       {"encoder", "decoder", "attention", "readout", "loss", "loss backward", "readout backward", "attention backward",
        "decoder backward", "encoder backward", "optimiser", "everything else"}) {
    CAPTURE(name);
    REQUIRE(phases["phases"].contains(name));
    sum += phases["phases"][name].get<double>();
  }
  CHECK(phases["phases"].size() == 12);
  CHECK(sum > 0.2 * phases["ms_per_step"]["median"].get<double>());
  CHECK(phases["page_faults_per_step"] >= 0);
  const json bare = bench("step --threads 1 --steps 2 --axis V=900 --axis T=3 --axis B=5 --axis H=8 --axis E=7");
  // Encoder 7 -> 2 x 4, bridge, decoder 7 -> 8, both embeddings, output.
  CHECK(bare["params"] == 2 * 900 * 7 + 2 * (3 * 4 * (7 + 4) + 24) + 8 * 9 + 3 * 8 * (7 + 8) + 48 + 900 * 9);
  CHECK(bare["step_over_gemm"]["min"] > 1);
  CHECK(bare["sizes"] == json{{"E", 7}, {"H", 8}, {"V", 900}, {"B", 5}, {"T", 3}});
  CHECK(bare["gflop"] < 1e-3);
  CHECK(bare["peak_bytes"] > bare["formula_bytes"]);
  CHECK(bare["update_bytes"] == 32 * bare["params"].get<int64_t>());
  const json dates = bench("step --preset dates --attention general --threads 1 --steps 1 --warmup 0");
  // Both embeddings, encoder 32 -> 2 x 64, bridge, decoder 32 -> 128, keys, readout, output of 15.
  CHECK(dates["params"] == 2 * 15 * 32 + 2 * 3 * 64 * (32 + 64 + 2) + 129 * 128 + 3 * 128 * (32 + 128 + 2) + 128 * 128 +
                               257 * 128 + 129 * 15);
  const json gru = bench("gru --preset small --axis T=4 --steps 3 --warmup 1 --threads 1");
  CHECK(gru["total_ms"]["n"] == 3);
  CHECK(gru["total_ms"]["median"] >= gru["forward_ms"]["min"]);
  CHECK(gru["gflop"].get<double>() == Approx(6e-9 * 32 * 4 * 384 * (64 + 128)));
  const json loss = bench("loss --rows 30 --vocab 50 --masked 0.5 --steps 3 --warmup 1 --threads 1");
  CHECK(loss["rows"] == 30);
  CHECK(loss["vocab"] == 50);
  CHECK(loss["total_ms"]["n"] == 3);
  CHECK(bench("loss --rows 30 --vocab 50 --hidden 8 --steps 1")["hidden"] == 8);
  const json dealt = bench("step --preset small --shards 3 --threads 1 --steps 1 --warmup 0");
  CHECK(dealt["shards"] == 3);
  CHECK(dealt["processes"] == 1);
  const json exchange = bench("exchange --megabytes 1 --steps 2 --warmup 0 --threads 1");  // with nobody
  CHECK(exchange["sum_ms"]["n"] == 2);
  CHECK(exchange["bytes_out_of_each"] == 0);
  CHECK(!exchange.contains("allreduce_ms"));
  std::set<double> values;  // of other losses of the same logits
  for (const char* more : {"", "--class-weights", "--target dense", "--smoothing uniform", "--smoothing others",
                           "--smoothing others_excluding", "--smoothing prior"})
    values.insert(bench(fmt::format("loss --rows 30 --vocab 50 --steps 1 {}", more))["value"].get<double>());
  CHECK(values.size() == 7);
  const json products = bench("products --preset small --axis H=8 --axis V=50 --axis E=6 --steps 3")["products"];
  REQUIRE(products.size() == 8);
  CHECK(products[0]["k"] == 4);
  CHECK(products[0]["n"] == 12);
  CHECK(products[3]["k"] == 24);
  CHECK(products[7]["rows"] == 5);
  CHECK(products[7]["n"] == 50);
  for (const json& product : products) CHECK(product["gflops"] > 0);
  const auto refused = [&](const std::string& options, const std::string& why) {
    const Result r = run_seqgrad(dir, "bench " + options);
    CAPTURE(options, r.err);
    CHECK(r.code == 2);
    CHECK(r.out.empty());
    CHECK(has(first_line(r.err), why));
  };
  refused("nothing", "expected decode|exchange|gru|loss|products|step, got 'nothing'");
  for (const char* axis : {"V", "V=", "V=1", "V=1000001", "V=3x", "X=3", "v=3", "=3", "VV=3"})
    refused(std::string("step --axis ") + axis, "--axis: expected E, H, V, B or T = 2 to 1000000, got '");
  refused("step --axis H=15", "--axis H=15: expected an even number");
  refused("gru --axis V=77", "--axis V=77: a GRU layer has no vocabulary");
  refused("step --axis B=1000000 --axis T=1000000", "error: a step needs about ");
  refused("gru --axis B=1000000 --axis T=1000000", "error: the layer needs about ");
  refused("decode", "bench decode: name a trained run: --run DIR");
  refused("step --preset huge", "expected one of small, ref8k, ref32k, copy, dates, gpu_small");
  refused("step --attention most", "expected one of none, dot, general, additive, got 'most'");
  refused("loss --rows 1000000000 --vocab 1000000000", "error: the tensors need about ");
  refused("loss --rows 1000000000 --vocab 1000000 --hidden 1000000", "error: the tensors need about ");
  refused("loss --rows 4 --vocab 8 --target one", "--target: expected ids or dense, got 'one'");
  refused("loss --rows 4 --vocab 8 --smoothing some",
          "--smoothing: expected none or uniform or others or others_excluding or prior");
  refused("loss --masked nan", "--masked: expected a number from 0 to 1, got 'nan'");
  if (!no_gpu(dir).empty()) CHECK(run_seqgrad(dir, "bench step --device cuda").code == 3);
}

TEST_CASE("bench decode translates the test sentences of a run, together or one at a time") {
  const Scratch dir;
  const std::string run = dir / "run";
  REQUIRE(run_seqgrad(dir, "train " + two_steps(dir) + " -q --run-dir " + run).code == 0);
  const auto bench = [&](const std::string& options) {
    const Result r =
        run_seqgrad(dir, "bench decode --threads 1 --device cpu --steps 2 --warmup 1 --run " + run + " " + options);
    CAPTURE(r.err);
    REQUIRE(r.code == 0);
    return json::parse(r.out);
  };
  const json together = bench("--out " + (dir / "together")),
             alone = bench("--one-at-a-time --rows 3 --out " + (dir / "alone")), beam = bench("--beam 3");
  const std::string all = slurp(dir / "together"), some = slurp(dir / "alone");
  CHECK(lines(all) == together["sentences"]);
  CHECK(together["precision"] == "fp32");
  const Result tf32 = run_seqgrad(dir, "bench decode --device cpu --precision tf32 --run " + run);
  CHECK(tf32.code == 2);
  CHECK(has(tf32.err, "precision: tf32 is made by the tensor cores of a GPU"));
  CHECK(together["total_ms"]["n"] == 2);
  CHECK(!together.contains("sentence_ms"));
  CHECK(together["words"] >= together["sentences"]);
  CHECK(beam["beam"] == 3);
  CHECK(beam["gflop"] > together["gflop"]);
  CHECK(beam["share_of_products"] > 0);
  CHECK(alone["sentences"] == 3);
  CHECK(alone["sentence_ms"]["n"] == 6);
  CHECK(!alone.contains("share_of_products"));
  CHECK(lines(some) == 3);
  // Of each line the words, without log p, whose last digit rounds.
  const auto words = [](const std::string& text, int count) {
    std::string out;
    std::istringstream in(text);
    for (std::string line; count-- > 0 && std::getline(in, line);) out += line.substr(0, line.rfind(' ')) + "\n";
    return out;
  };
  CHECK(words(all, 3) == words(some, 3));
}

TEST_CASE("info: what this build knows by name") {
  const Scratch dir;
  CHECK(has(run_seqgrad(dir, "info --ops").out, "\ngru"));
  CHECK(has(run_seqgrad(dir, "info --divisors").out, "\nactive "));
  CHECK(has(run_seqgrad(dir, "info --presets").out, "\ntf1.sequence_loss_by_example "));
}

TEST_CASE("small models take few of the cores, large ones all, and --threads any number") {
  const auto taken = [](std::vector<std::string> set) {
    Config config;
    set.emplace_back("data.task=copy");
    load(config, "", set);
    const std::string text = apply_process_settings(config).text;
    const int count = threads();
    set_threads(1);
    CHECK(has(text, fmt::format("cpu, {} thread", count)));
    return count;
  };
  const int cores = static_cast<int>(std::min(16u, std::max(1u, std::thread::hardware_concurrency())));
  const std::string small = "train.batch.size=16", narrow = "model.embedding=48", units = "model.decoder.hidden=96";
  CHECK(taken({"device=cpu", small, narrow, units}) == 1);  // 16·3·96·(48 + 96) multiplications a time step
  CHECK(taken({"device=cpu", "train.batch={by: tokens, size: 256}", narrow, units}) == 1);
  CHECK(taken({"device=cpu", "train.batch.size=48", narrow, units}) == std::min(cores, 2));
  CHECK(taken({"device=cpu", "model.decoder.hidden=512"}) == cores);
  CHECK(taken({"device=cpu", small, narrow, units, "threads=3"}) == 3);
}

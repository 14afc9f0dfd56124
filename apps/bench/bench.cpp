// `seqgrad bench`: times of a training step and of its parts, as JSON.
#include "apps/bench/bench.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "apps/command.h"
#include "engine/comm/launched.h"
#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/core/registry.h"
#include "engine/io/json_text.h"

namespace seqgrad {
namespace {

std::map<std::string, Benchmark>& registry() {
  static std::map<std::string, Benchmark> all;
  return all;
}

std::string names() {
  std::string out;
  for (const auto& [name, benchmark] : registry()) out += (out.empty() ? "" : "|") + name;
  return out;
}

struct Options {
  std::string what = "step";
  bool json = false;
  BenchOptions bench;
};

constexpr int64_t most = 1000000000;  // of anything that is counted

int bench(const Options& o) {
  const auto measured = registry().at(o.what).run(o.bench);
  if (opened_processes().rank() == 0) fmt::print("{}\n", printed_json(measured, o.json ? -1 : 2));
  return 0;
}

// An option that only some benchmarks know says so before a colon: "step, gru: …".
void check_belongs(const Option& option, const std::string& what) {
  const std::string text = option.description();
  const size_t colon = text.find(": ");
  if (!option.given() || colon == std::string::npos) return;
  const std::string known = text.substr(0, colon);
  if ((", " + known + ",").find(", " + what + ",") == std::string::npos)
    refuse("bench {}: {} belongs to bench {}", shown(what), option.name(), known);
}

std::function<int()> declare(OptionSet app) {
  auto all = std::make_shared<Options>();
  BenchOptions* o = &all->bench;
  app.add_option("what", all->what, "step, loss, gru, decode, products or exchange").type_name(names());
  app.add_option("--preset", o->preset,
                 "step, gru, products: small, ref8k, ref32k, copy or dates, or with gpu_ before the first three; gru: "
                 "its decoder")
      .type_name("NAME");
  app.add_option("--attention", o->attention, "step: kind of attention").type_name("none|dot|general|additive");
  app.add_option("--precision", o->precision, "step, loss, decode: arithmetic; fp64 of a step only")
      .type_name("fp32|tf32|bf16|fp64");
  app.add_device(o->device).description("step, loss, decode: where tensors live");
  app.add_option("--axis", o->axes,
                 "step, gru, products: another size for E, H (encoder H/2 each way), V, B or T, as V=64000")
      .type_name("SIZE=N");
  app.add_option("--rows", o->rows, "loss, decode: rows of logits; test sentences at the most")
      .type_name("N")
      .check(whole(1, most));
  app.add_option("--vocab", o->vocab, "loss: classes").type_name("V").check(whole(1, most));
  app.add_option("--hidden", o->hidden, "loss: width of hidden states; then the output projection is part of it")
      .type_name("D")
      .check(whole(0, most));
  app.add_option("--masked", o->masked, "loss: share of rows that do not count").type_name("SHARE").check(number(0, 1));
  app.add_option("--target", o->target, "loss: ids, or dense: rows that spread over all classes")
      .type_name("ids|dense")
      .check(one_of({"ids", "dense"}));
  app.add_option("--smoothing", o->smoothing, "loss: by 0.1; others_excluding leaves one id out")
      .type_name("none|uniform|others|others_excluding|prior")
      .check(one_of({"none", "uniform", "others", "others_excluding", "prior"}));
  app.add_flag("--class-weights", o->class_weights, "loss: a weight for each class");
  app.add_option("--run", o->run, "decode: the trained run whose test sentences are translated").type_name("RUN");
  app.add_option("--beam", o->beam, "decode: live hypotheses of a sentence").type_name("K").check(whole(1, most));
  app.add_flag("--one-at-a-time", o->one_at_a_time, "decode: each sentence by itself, not in batches");
  app.add_option("--out", o->out, "decode: write the words of each translation as ids, and its log p")
      .type_name("FILE");
  app.add_option("--shards", o->shards, "step: parts of a batch, which processes share")
      .type_name("N")
      .check(whole(1, 64));
  app.add_option("--megabytes", o->megabytes, "exchange: of gradients").type_name("N").check(whole(1, 100000));
  app.add_option("--threads", o->threads, "CPU threads").type_name("N").check(whole(1, 256));
  app.add_option("--steps", o->steps, "counted repetitions").type_name("N").check(whole(1, most));
  app.add_option("--warmup", o->warmup, "repetitions before them").type_name("N").check(whole(0, most));
  app.add_flag("--phases", o->phases, "step: add the milliseconds of each phase, and page faults");
  app.add_flag("--json", all->json, "One line of JSON instead of an indented object");
  app.when_parsed([app, all] {
    if (!registry().contains(all->what)) refuse("bench: expected {}, got '{}'", names(), shown(all->what));
    for (const Option& option : app.all()) check_belongs(option, all->what);
  });
  return [all] { return bench(*all); };
}

const bool bench_registered =
    register_command({"bench",
                      "Time a training step, the loss layer, a GRU layer, decoding, products or a sum over processes",
                      "seqgrad bench step --preset small --attention general --threads 1",
                      declare,
                      {"benchmark", "profile", "speed"},
                      {},
                      true});

}  // namespace

const std::map<std::string, Benchmark>& benchmarks() { return registry(); }
bool register_benchmark(const Benchmark& benchmark) {
  return register_once(registry(), "benchmark", benchmark.name, benchmark);
}

ReferenceModel sized_model(const BenchOptions& options) {
  ReferenceModel m = reference_model(options.preset);
  for (const std::string& axis : options.axes) {
    const auto wrong = [&]() {
      refuse("bench: --axis: expected E, H, V, B or T = 2 to 1000000, got '{}'", shown(axis));
    };
    int64_t n = 0;
    const char* end = axis.data() + axis.size();
    if (axis.size() < 3 || axis[1] != '=') wrong();
    const auto [at, error] = std::from_chars(axis.data() + 2, end, n);
    if (error != std::errc() || at != end || n < 2 || n > 1000000) wrong();
    switch (axis[0]) {
      case 'E': m.embedding = n; break;
      case 'H':
        if (n % 2)
          refuse("bench: --axis {}: expected an even number, as the encoder has half of it each way", shown(axis));
        m.decoder_hidden = n, m.encoder_hidden = n / 2;
        break;
      case 'V': m.vocabulary = n; break;
      case 'B': m.batch = n; break;
      case 'T': m.source_steps = m.target_steps = n; break;
      default: wrong();
    }
  }
  return m;
}

nlohmann::ordered_json sizes_of(const ReferenceModel& m) {
  return {{"E", m.embedding}, {"H", m.decoder_hidden}, {"V", m.vocabulary}, {"B", m.batch}, {"T", m.target_steps}};
}

std::vector<int32_t> bench_lengths(Random& random, int64_t batch, int64_t steps) {
  const int64_t shortest = std::max<int64_t>(1, std::llround(static_cast<double>(steps) * 2 / 3));
  std::vector<int32_t> lengths = {static_cast<int32_t>(steps)};
  while (static_cast<int64_t>(lengths.size()) < batch)
    lengths.push_back(static_cast<int32_t>(
        shortest + static_cast<int64_t>(random.below(static_cast<uint64_t>(steps - shortest + 1)))));
  return lengths;
}

}  // namespace seqgrad

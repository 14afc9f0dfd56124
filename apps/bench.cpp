// `seqgrad bench`: times of a training step and of the loss layer, as JSON.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "engine/core/phases.h"
#include "engine/core/random.h"
#include "engine/core/thread_pool.h"
#include "engine/data/vocabulary.h"
#include "engine/device/gemm.h"
#include "models/memory.h"
#include "models/run.h"

namespace seqgrad {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string what = "step", preset = "small", attention = "none", precision = "fp32", device = "cpu";
  int threads = 2, steps = 20, warmup = 5;
  int64_t rows = 1600, vocab = 8000, hidden = 0;
  double masked = 0;
  bool json = false, phases = false;
};

constexpr int64_t most = 1000000000;  // of anything that is counted

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Json quartiles(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  const auto at = [&](double q) { return v[static_cast<size_t>(q * static_cast<double>(v.size() - 1) + 0.5)]; };
  return {{"median", at(0.5)}, {"p25", at(0.25)}, {"p75", at(0.75)}, {"min", v[0]}, {"n", v.size()}};
}

struct rusage usage() {
  struct rusage now {};
  getrusage(RUSAGE_SELF, &now);
  return now;
}
int64_t peak_bytes() { return usage().ru_maxrss * 1024; }

// Milliseconds of each phase, a list of steps each; a phase that a step did not have counts as 0 there.
using PhaseLists = std::vector<std::pair<std::string, std::vector<double>>>;

void add_phases(PhaseLists& all, size_t step) {
  for (const auto& [name, seconds] : stop_phase_times()) {
    auto row = std::find_if(all.begin(), all.end(), [&, &wanted = name](const auto& r) { return r.first == wanted; });
    if (row == all.end()) row = all.insert(row, {name, {}});
    row->second.resize(step, 0.0);
    row->second.push_back(seconds * 1e3);
  }
}

Json medians(PhaseLists all, size_t steps) {
  Json out = Json::object();
  for (auto& [name, ms] : all) {
    ms.resize(steps, 0.0);
    out[name.empty() ? "everything else" : name] = quartiles(ms)["median"];
  }
  return out;
}

// The best of several products that fill the caches: what this process can reach.
double gemm_gflops() {
  constexpr int64_t n = 768;
  std::vector<float> a(n * n, 0.5f), b(n * n, 0.25f), c(n * n);
  double best = 1e30;
  for (int i = 0; i < 8; ++i) {
    const double start = now_ms();
    kernels::gemm<float>(Device::cpu, {false, false, n, n, n, a.data(), n, b.data(), n, 0, c.data(), n});
    best = std::min(best, now_ms() - start);
  }
  return 2.0 * n * n * n / best / 1e6;
}

double copy_gb_per_s(size_t bytes) {
  std::vector<char> a(bytes, 1), b(bytes);
  double best = 1e30;
  for (int i = 0; i < 6; ++i) {
    const double start = now_ms();
    parallel_ranges(static_cast<int64_t>(bytes), 1 << 20, [&](int64_t begin, int64_t end) {
      std::copy(a.begin() + begin, a.begin() + end, b.begin() + begin);
    });
    best = std::min(best, now_ms() - start);
  }
  return 2.0 * static_cast<double>(bytes) / best / 1e6;
}

// Sentences as the PyTorch and JAX benchmarks draw them: lengths uniform in [2T/3, T], one of length T.
Batch bench_batch(const ReferenceModel& m, uint64_t seed) {
  Random r(seed, 0);
  Batch b;
  b.batch = m.batch;
  b.source_steps = b.target_steps = m.steps;
  const int64_t shortest = std::max<int64_t>(1, std::llround(static_cast<double>(m.steps) * 2 / 3));
  for (int side = 0; side < 2; ++side)
    for (int64_t i = 0; i < m.batch; ++i) {
      const int64_t n =
          i == 0 ? m.steps : shortest + static_cast<int64_t>(r.below(static_cast<uint64_t>(m.steps - shortest + 1)));
      (side == 0 ? b.source_lengths : b.target_lengths).push_back(static_cast<int32_t>(n));
      for (int64_t t = 0; t < m.steps; ++t)
        (side == 0 ? b.source : b.target_out)
            .push_back(t < n ? static_cast<int32_t>(1 + r.below(static_cast<uint64_t>(m.vocabulary - 1))) : pad_id);
    }
  for (int64_t i = 0; i < m.batch; ++i)
    for (int64_t t = 0; t < m.steps; ++t)
      b.target_in.push_back(t == 0 ? bos_id : b.target_out[static_cast<size_t>(i * m.steps + t - 1)]);
  b.lines.assign(static_cast<size_t>(m.batch), 0);
  return b;
}

Json bench_step(const Options& o) {
  const ReferenceModel& m = reference_model(o.preset);
  Config config;
  load(config, "",
       {"data.task=copy", fmt::format("model.embedding={}", m.embedding),
        fmt::format("model.encoder.hidden={}", m.encoder_hidden),
        fmt::format("model.decoder.hidden={}", m.decoder_hidden), "model.attention=" + o.attention,
        "precision=" + o.precision, fmt::format("threads={}", o.threads), "device=" + o.device});
  apply_process_settings(config);
  const auto model = make_model(config, m.vocabulary, m.vocabulary);
  LossSetup loss;
  loss.classes = m.vocabulary;
  std::vector<Batch> data;
  for (uint64_t i = 0; i < 4; ++i) data.push_back(bench_batch(m, i + 1));
  std::vector<double> ms, rate;
  PhaseLists phases;
  double value = 0;
  int64_t faults = 0;
  for (int i = 0; i < o.warmup + o.steps; ++i) {
    const Batch& batch = data[static_cast<size_t>(i) % 4];
    if (i == o.warmup) faults = usage().ru_minflt;
    if (o.phases && i >= o.warmup) start_phase_times();
    const double start = now_ms();
    value = accumulate_gradients(*model, loss, {&batch, 1}, {true, 1, static_cast<uint64_t>(i), 0})
                .loss.value(loss.options);
    {
      const Phase phase("optimiser");
      optimizers().at("adam").update(model->store(), {}, i + 1);
    }
    const double took = now_ms() - start;
    if (i < o.warmup) continue;
    if (o.phases) add_phases(phases, ms.size());
    ms.push_back(took);
    rate.push_back(static_cast<double>(batch.target_tokens()) / took * 1e3);
  }
  faults = usage().ru_minflt - faults;
  Json out = {{"what", "seqgrad_step"},
              {"preset", o.preset},
              {"attention", o.attention},
              {"precision", o.precision},
              {"threads", threads()},
              {"params", model->store().count()},
              {"ms_per_step", quartiles(ms)},
              {"target_tokens_per_s", quartiles(rate)["median"]},
              {"gemm_gflops", gemm_gflops()},
              {"peak_bytes", peak_bytes()},
              {"loss", value}};
  if (o.phases) {
    out["phases_ms"] = medians(std::move(phases), ms.size());
    out["page_faults_per_step"] = static_cast<double>(faults) / o.steps;
  }
  return out;
}

Json bench_loss(const Options& o) {
  const auto n = [](int64_t x) { return static_cast<double>(x); };
  check_memory(o.hidden > 0 ? 8 * n(o.hidden) * (n(o.rows) + n(o.vocab)) : 12 * n(o.rows) * n(o.vocab),
               "the tensors need", "make --rows, --vocab or --hidden smaller");
  set_threads(o.threads);
  Random r(1, 0);
  LossInputs in;
  in.batch = o.rows;
  in.steps = 1;
  in.classes = o.vocab;
  in.lengths.emplace();
  for (int64_t i = 0; i < o.rows; ++i) {
    in.targets.push_back(static_cast<int64_t>(r.below(static_cast<uint64_t>(o.vocab))));
    in.lengths->push_back(r.uniform() >= o.masked);
  }
  const LossOptions options;
  const LiveRows rows = build_live_rows(in, options);
  const bool fused = o.hidden > 0;
  const auto noise = [&](int64_t n, double scale) {
    std::vector<float> v(static_cast<size_t>(n));
    for (float& x : v) x = static_cast<float>(scale * r.normal());
    return v;
  };
  std::vector<float> x = noise(o.rows * (fused ? o.hidden : o.vocab), 1),
                     w = noise(fused ? o.vocab * o.hidden : 0,
                               fused ? 1 / std::sqrt(static_cast<double>(o.hidden)) : 0),
                     b(fused ? static_cast<size_t>(o.vocab) : 0);
  Tape& tape = Tape::current();
  int64_t base = 0;
  std::vector<double> ms;
  for (int i = -1; i < o.warmup + o.steps; ++i) {
    tape.reset();
    // The logits of a step are fresh each time, as a model makes them; making them is not part of the time.
    Tensor z = fused ? Tensor{} : variable(from_host(x, {o.rows, 1, o.vocab}));
    const Tensor h = fused ? variable(wrap(x.data(), {o.rows, 1, o.hidden})) : Tensor{},
                 weight = fused ? variable(wrap(w.data(), {o.vocab, o.hidden})) : Tensor{},
                 bias = fused ? variable(wrap(b.data(), {o.vocab})) : Tensor{};
    if (i < 0) {  // what the loss works on, and where it puts its gradients, is not extra: all of it is touched here
      for (const Tensor& leaf : {h, weight, bias})
        if (leaf.data) std::memset(grad(leaf).data, 1, leaf.bytes());
      base = peak_bytes();
      continue;
    }
    const double start = now_ms();
    const LossResult loss =
        fused ? linear_sequence_loss(h, weight, bias, in, rows, options, rows.divisor, ParameterGradients::now)
              : sequence_loss(std::move(z), in, rows, options, rows.divisor);
    tape.backward(loss.value);
    if (i >= o.warmup) ms.push_back(now_ms() - start);
  }
  const int64_t extra = peak_bytes() - base;
  const Json times = quartiles(ms);
  const double bytes = 2.0 * 4 * static_cast<double>(o.rows * o.vocab),
               copy = copy_gb_per_s(static_cast<size_t>(std::max<int64_t>(1 << 22, 4 * o.rows * o.vocab)));
  Json out = {{"what", fused ? "seqgrad_linear_loss" : "seqgrad_loss"},
              {"rows", o.rows},
              {"vocab", o.vocab},
              {"hidden", o.hidden},
              {"masked", o.masked},
              {"threads", threads()},
              {"total_ms", times},
              {"extra_bytes", extra},
              {"copy_gb_per_s", copy}};
  if (!fused) out["bytes"] = bytes, out["share_of_copy"] = bytes / times["median"].get<double>() / 1e6 / copy;
  if (fused)
    out["gemm_gflops"] = gemm_gflops(),
    out["gflop"] = 6e-9 * static_cast<double>(rows.all.active) * static_cast<double>(o.vocab * o.hidden);
  return out;
}

int bench(const Options& o) {
  if (o.what != "step" && o.what != "loss") refuse("bench: expected step or loss, got '{}'", shown(o.what));
  fmt::print("{}\n", (o.what == "step" ? bench_step(o) : bench_loss(o)).dump(o.json ? -1 : 2));
  return 0;
}

std::function<int()> declare(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("what", o->what, "step or loss")->type_name("step|loss");
  app.add_option("--preset", o->preset, "step: small, ref8k or ref32k")->type_name("NAME");
  app.add_option("--attention", o->attention, "step: none, dot, general or additive")->type_name("KIND");
  app.add_option("--precision", o->precision, "step: fp32 or fp64")->type_name("P");
  app.add_option("--device", o->device, "step: cpu")->type_name("DEVICE");
  app.add_option("--rows", o->rows, "loss: rows of logits")->type_name("N")->check(whole(1, most));
  app.add_option("--vocab", o->vocab, "loss: classes")->type_name("V")->check(whole(1, most));
  app.add_option("--hidden", o->hidden, "loss: width of hidden states; then the output projection is part of it")
      ->type_name("D")
      ->check(whole(0, most));
  app.add_option("--masked", o->masked, "loss: share of rows that do not count")
      ->type_name("SHARE")
      ->check(number(0, 1));
  app.add_option("--threads", o->threads, "CPU threads")->type_name("N")->check(whole(1, 256));
  app.add_option("--steps", o->steps, "counted repetitions")->type_name("N")->check(whole(1, most));
  app.add_option("--warmup", o->warmup, "repetitions before them")->type_name("N")->check(whole(0, most));
  app.add_flag("--phases", o->phases, "step: add the milliseconds of each phase, and page faults");
  app.add_flag("--json", o->json, "One line of JSON instead of an indented object");
  app.parse_complete_callback([&app, o] {
    const std::string other = o->what == "step" ? "loss" : "step";
    for (const CLI::Option* option : app.get_options())
      if (option->count() > 0 && option->get_description().starts_with(other + ":"))
        refuse("bench {}: {} belongs to bench {}", shown(o->what), option->get_name(), other);
  });
  return [o] { return bench(*o); };
}

const bool registered =
    register_command({"bench", "Time a training step or the loss layer",
                      "seqgrad bench step --preset small --attention general --threads 1", declare});

}  // namespace
}  // namespace seqgrad

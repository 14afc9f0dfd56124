// `seqgrad bench step`: forward, loss, backward and Adam of a reference model.
#include <algorithm>
#include <cmath>

#include "apps/bench/bench.h"
#include "apps/bench/cost.h"
#include "apps/bench/measure.h"
#include "engine/comm/launched.h"
#include "engine/core/phases.h"
#include "engine/core/random.h"
#include "engine/core/thread_pool.h"
#include "engine/data/vocabulary.h"
#include "engine/run/memory_limit.h"
#include "engine/run/process_settings.h"
#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/step_queue.h"

namespace seqgrad {
namespace {

using Json = nlohmann::ordered_json;

// Milliseconds of each phase, a list of steps each; a phase that a step did not have counts as 0 there.
using PhaseLists = std::vector<std::pair<std::string, std::vector<double>>>;

void add_phases(PhaseLists& all, size_t step) {
  for (const auto& [name, seconds] : Tape::current().phases().stop()) {
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

Batch bench_batch(const ReferenceModel& m, uint64_t seed) {
  Random r(seed, 0);
  Batch b;
  b.batch = m.batch;
  b.source_steps = m.source_steps;
  b.target_steps = m.target_steps;
  for (int side = 0; side < 2; ++side) {
    const int64_t steps = side == 0 ? m.source_steps : m.target_steps;
    const auto lengths = bench_lengths(r, m.batch, steps);
    for (const int32_t n : lengths)
      for (int64_t t = 0; t < steps; ++t)
        (side == 0 ? b.source : b.target_out)
            .push_back(t < n ? static_cast<int32_t>(1 + r.below(static_cast<uint64_t>(m.vocabulary - 1))) : pad_id);
    (side == 0 ? b.source_lengths : b.target_lengths) = lengths;
  }
  for (int64_t i = 0; i < m.batch; ++i)
    for (int64_t t = 0; t < m.target_steps; ++t)
      b.target_in.push_back(t == 0 ? bos_id : b.target_out[static_cast<size_t>(i * m.target_steps + t - 1)]);
  b.lines.assign(static_cast<size_t>(m.batch), 0);
  return b;
}

// As a trainer makes them: the host runs ahead, and waits after every `together` steps. With the norm of the gradient.
Json on_gpu(const BenchOptions& o, SequenceModel& model, StepQueue& queue, const std::vector<Batch>& data,
            const StepCost& cost) {
  constexpr int together = 20;
  std::vector<double> ms, host;
  double words = 0, value = 0;
  int64_t number = 0, before = 0;
  const LossOptions options;
  for (int round = -std::max(1, (o.warmup + together - 1) / together); round < o.steps; ++round) {
    if (round == 0) before = Tape::current().system_allocations();
    double hosts = 0;
    words = 0;
    const double start = now_ms();
    for (int i = 0; i < together; ++i) {
      const Batch& batch = data[static_cast<size_t>(i) % data.size()];
      words += static_cast<double>(batch.target_tokens());
      const double begin = now_ms();
      queue.run({batch}, {true, 1, static_cast<uint64_t>(number), 0}, OptimOptions{}.lr, number + 1);
      hosts += now_ms() - begin;
      ++number;
    }
    value = queue.collect().back().loss.value(options);
    if (round < 0) continue;
    ms.push_back((now_ms() - start) / together);
    host.push_back(hosts / together);
  }
  return {{"what", "seqgrad_step"},
          {"preset", o.preset},
          {"sizes", sizes_of(sized_model(o))},
          {"attention", o.attention},
          {"precision", o.precision},
          {"device", backend(Device::cuda).describe()},
          {"params", model.store().count()},
          {"ms_per_step", quartiles(ms)},
          {"host_ms_per_step", quartiles(host)},
          {"steps_between_waits", together},
          {"graph_nodes", queue.graph_nodes()},
          {"target_tokens_per_s", words / together / quartiles(ms)["median"].get<double>() * 1e3},
          {"allocations_in_counted_steps", Tape::current().system_allocations() - before},
          {"gflop", cost.gflop},
          {"tape_bytes", Tape::current().high_water()},
          {"formula_bytes", cost.memory_bytes},
          {"loss", value}};
}

// What the counted steps took on a CPU.
struct CpuSteps {
  std::vector<double> ms, target_tokens_per_s, cpu_ms_per_mflop;
  PhaseLists phases;
  double loss = 0;
  int64_t page_faults = 0;
};

CpuSteps run_on_cpu(const BenchOptions& o, SequenceModel& model, const LossSetup& loss, const std::vector<Batch>& data,
                    const StepCost& cost) {
  CpuSteps out;
  ProcessSum processes(launched_processes());
  const Sharing sharing{o.shards, launched_processes().count() > 1 ? &processes : nullptr};
  int64_t faults = 0;
  for (int i = 0; i < o.warmup + o.steps; ++i) {
    const Batch& batch = data[static_cast<size_t>(i) % data.size()];
    if (i == o.warmup) faults = minor_page_faults();
    if (o.phases && i >= o.warmup) Tape::current().phases().start();
    const double start = now_ms(), cpu = cpu_ms();
    const ForwardContext context{true, 1, static_cast<uint64_t>(i), 0};
    out.loss = accumulate_gradients(model, loss, {&batch, 1}, context, sharing).loss.value(loss.options);
    {
      const Phase phase("optimiser");
      optimizers().at("adam")(model.store(), {}, i + 1);
    }
    const double took = now_ms() - start, worked = cpu_ms() - cpu;
    if (i < o.warmup) continue;
    if (o.phases) add_phases(out.phases, out.ms.size());
    out.ms.push_back(took);
    out.cpu_ms_per_mflop.push_back(worked / cost.gflop / 1e3);
    out.target_tokens_per_s.push_back(static_cast<double>(batch.target_tokens()) / took * 1e3);
  }
  out.page_faults = minor_page_faults() - faults;
  return out;
}

Json on_cpu(const BenchOptions& o, SequenceModel& model, const LossSetup& loss, const std::vector<Batch>& data,
            const StepCost& cost) {
  GemmRate gemm = gemm_rate();  // before and after, for a machine whose load changes
  CpuSteps steps = run_on_cpu(o, model, loss, data, cost);
  const int64_t peak = peak_bytes();
  gemm = gemm.best(gemm_rate());
  for (double& x : steps.cpu_ms_per_mflop) x *= gemm.cpu_gflops;
  Json out = {{"what", "seqgrad_step"},
              {"preset", o.preset},
              {"sizes", sizes_of(sized_model(o))},
              {"attention", o.attention},
              {"precision", o.precision},
              {"device", backend(Device::cpu).describe()},
              {"threads", threads()},
              {"shards", o.shards},
              {"processes", launched_processes().count()},
              {"params", model.store().count()},
              {"ms_per_step", quartiles(steps.ms)},
              {"target_tokens_per_s", quartiles(steps.target_tokens_per_s)["median"]},
              {"gflop", cost.gflop},
              {"gemm_gflops", gemm.gflops},
              {"step_over_gemm", quartiles(steps.cpu_ms_per_mflop)},
              {"copy_gb_per_s", copy_gb_per_s(1 << 26)},
              {"update_bytes", cost.update_bytes},
              {"peak_bytes", peak},
              {"formula_bytes", cost.memory_bytes},
              {"loss", steps.loss}};
  if (o.phases) {
    out["phases"] = medians(std::move(steps.phases), steps.ms.size());
    out["page_faults_per_step"] = static_cast<double>(steps.page_faults) / o.steps;
  }
  return out;
}

void configure(Config& config, const BenchOptions& o, const ReferenceModel& m) {
  load(
      config, "",
      {"data.task=copy", fmt::format("model.embedding={}", m.embedding),
       fmt::format("model.encoder.hidden={}", m.encoder_hidden),
       fmt::format("model.decoder.hidden={}", m.decoder_hidden), "model.attention=" + o.attention,
       "precision=" + o.precision, "optim.clip_norm=null", fmt::format("threads={}", o.threads), "device=" + o.device});
}

Json bench_step(const BenchOptions& o) {
  const ReferenceModel m = sized_model(o);
  Config config;
  configure(config, o, m);
  const Device device = apply_process_settings(config).device;
  check_memory(step_cost(m, o.attention, static_cast<double>(m.batch * m.target_steps), 0).memory_bytes, "a step needs",
               "make its sizes smaller", device);
  const auto model = make_model(config, {m.vocabulary, m.vocabulary}, device);
  LossSetup loss;
  loss.classes = m.vocabulary;
  std::vector<Batch> data;
  for (uint64_t i = 0; i < 4; ++i) data.push_back(bench_batch(m, i + 1));
  double words = 0;
  for (const Batch& b : data) words += static_cast<double>(b.target_tokens()) / static_cast<double>(data.size());
  const StepCost cost = step_cost(m, o.attention, words, static_cast<double>(model->store().count()));
  StepQueue queue(*model, loss, config.optim, {}, {.replay = config.graphs()});
  return device == Device::cuda ? on_gpu(o, *model, queue, data, cost) : on_cpu(o, *model, loss, data, cost);
}

const bool step_registered = register_benchmark({"step", bench_step});

}  // namespace
}  // namespace seqgrad

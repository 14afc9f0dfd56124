// `seqgrad bench loss`: loss and gradient on logits, or with the output projection.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <numeric>
#include <string_view>

#include "apps/bench/bench.h"
#include "apps/bench/measure.h"
#include "engine/core/error.h"
#include "engine/core/tape.h"
#include "engine/core/thread_pool.h"
#include "engine/device/choose.h"
#include "engine/device/gemm.h"
#include "engine/loss/sequence_loss.h"
#include "engine/run/memory_limit.h"

namespace seqgrad {
namespace {

using Json = nlohmann::ordered_json;

struct Timing {
  std::vector<double> ms;
  double value = 0;   // of the loss
  int64_t extra = 0;  // bytes beside what the loss works on
};

void make_onednn_code() {
  constexpr int64_t n = 16;
  std::vector<float> a(n * n), c(n * n);
  kernels::gemm<float>(Device::cpu, {Matrix<const float>{a.data(), n, n}, Matrix<const float>{a.data(), n, n},
                                     Matrix{c.data(), n, n}, false});
}

Timing time_loss(const BenchOptions& o, const BenchTargets& targets, const LiveRows& rows, Random& r) {
  const auto& [in, options] = targets;
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
  Timing out;
  for (int i = -1; i < o.warmup + o.steps; ++i) {
    tape.reset();
    // The logits of a step are fresh each time, as a model makes them; making them is not part of the time.
    Tensor z = fused ? Tensor{} : variable(from_host(x, {o.rows, 1, o.vocab}));
    const Tensor h = fused ? variable(wrap(x.data(), {o.rows, 1, o.hidden})) : Tensor{},
                 weight = fused ? variable(wrap(w.data(), {o.vocab, o.hidden})) : Tensor{},
                 bias = fused ? variable(wrap(b.data(), {o.vocab})) : Tensor{};
    if (i < 0) {  // what the loss works on, where it puts its gradients, and oneDNN's code, which a process makes once,
                  // are not extra: all of it is touched here
      if (fused) make_onednn_code();
      for (const Tensor& leaf : {h, weight, bias})
        if (leaf.defined()) std::memset(grad(leaf).data, 1, leaf.bytes());
      base = peak_bytes();
      continue;
    }
    const double start = now_ms();
    const LossResult loss =
        fused ? linear_sequence_loss(h, weight, bias, in, rows, options, rows.divisor, ParameterGradients::now)
              : sequence_loss(std::move(z), in, rows, options, rows.divisor);
    tape.backward(loss.value);
    if (i >= o.warmup) out.ms.push_back(now_ms() - start);
    out.value = loss.values[0];
  }
  out.extra = peak_bytes() - base;
  return out;
}

Json bench_loss(const BenchOptions& o) {
  if (choose_device(o.device).device == Device::cuda) return bench_loss_on_gpu(o);
  if (o.precision != "fp32") refuse("bench loss: --precision {} is for a GPU: write --device cuda", shown(o.precision));
  const bool fused = o.hidden > 0;
  const auto n = [](int64_t x) { return static_cast<double>(x); };
  const double dense = o.target == "dense" ? 12 * n(o.rows) * n(o.vocab) : 0;
  check_memory(dense + (fused ? 8 * n(o.hidden) * (n(o.rows) + n(o.vocab)) : 12 * n(o.rows) * n(o.vocab)),
               "the tensors need", "make --rows, --vocab or --hidden smaller");
  set_threads(o.threads);
  Random r(1, 0);
  const BenchTargets targets = bench_targets(o, r);
  const LiveRows rows = build_live_rows(targets.inputs, targets.options);
  const Timing timing = time_loss(o, targets, rows, r);
  const Json times = quartiles(timing.ms);
  const double bytes = 2.0 * 4 * static_cast<double>(o.rows * o.vocab),
               copy = copy_gb_per_s(static_cast<size_t>(std::max<int64_t>(1 << 22, 4 * o.rows * o.vocab)));
  Json out = {{"what", fused ? "seqgrad_linear_loss" : "seqgrad_loss"},
              {"rows", o.rows},
              {"vocab", o.vocab},
              {"hidden", o.hidden},
              {"masked", o.masked},
              {"target", o.target},
              {"smoothing", o.smoothing},
              {"class_weights", o.class_weights},
              {"threads", threads()},
              {"value", timing.value},
              {"total_ms", times},
              {"extra_bytes", timing.extra},
              {"copy_gb_per_s", copy}};
  if (!fused) out["bytes"] = bytes, out["share_of_copy"] = bytes / times["median"].get<double>() / 1e6 / copy;
  if (fused)
    out["gemm_gflops"] = gemm_rate().gflops,
    out["gflop"] = 6e-9 * static_cast<double>(rows.all.active) * static_cast<double>(o.vocab * o.hidden);
  return out;
}

const bool loss_registered = register_benchmark({"loss", bench_loss});

}  // namespace

BenchTargets bench_targets(const BenchOptions& o, Random& random) {
  BenchTargets out;
  LossInputs& in = out.inputs;
  in.batch = o.rows;
  in.steps = 1;
  in.classes = o.vocab;
  in.lengths.emplace();
  const auto distribution = [&] {
    std::vector<double> q(static_cast<size_t>(o.vocab));
    for (double& x : q) x = random.uniform();
    const double sum = std::accumulate(q.begin(), q.end(), 0.0);
    for (double& x : q) x /= sum;
    return q;
  };
  for (int64_t i = 0; i < o.rows; ++i) {  // the last class is the one that smoothing may leave out
    in.targets.push_back(static_cast<int64_t>(random.below(static_cast<uint64_t>(std::max<int64_t>(1, o.vocab - 1)))));
    in.lengths->push_back(random.uniform() >= o.masked);
  }
  if (o.target != "ids" && o.target != "dense")
    refuse("bench loss: --target: expected ids or dense, got '{}'", shown(o.target));
  if (o.target == "dense") {
    out.options.target = Target::dense;
    in.targets.clear();
    for (int64_t i = 0; i < o.rows; ++i) {
      const std::vector<double> q = distribution();
      in.dense_f32.insert(in.dense_f32.end(), q.begin(), q.end());
    }
  }
  if (o.smoothing != "none") {
    constexpr std::pair<std::string_view, SmoothingKind> kinds[] = {
        {"uniform", SmoothingKind::uniform},
        {"others", SmoothingKind::others},
        {"others_excluding", SmoothingKind::others_excluding},
        {"prior", SmoothingKind::prior}};
    const auto* kind =
        std::find_if(std::begin(kinds), std::end(kinds), [&](auto& k) { return k.first == o.smoothing; });
    if (kind == std::end(kinds))
      refuse("bench loss: --smoothing: expected none, uniform, others, others_excluding or prior, got '{}'",
             shown(o.smoothing));
    out.options.smoothing = 0.1;
    out.options.smoothing_kind = kind->second;
    if (kind->second == SmoothingKind::others_excluding) out.options.smoothing_excluding = {o.vocab - 1};
    if (kind->second == SmoothingKind::prior) in.prior = distribution();
  }
  if (o.class_weights) {
    in.class_weight.emplace();
    for (int64_t v = 0; v < o.vocab; ++v) in.class_weight->push_back(0.5 + random.uniform());
  }
  return out;
}

}  // namespace seqgrad

// `seqgrad bench loss`: loss and gradient on logits, or with the output projection.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "apps/bench/bench.h"
#include "apps/bench/measure.h"
#include "engine/core/thread_pool.h"
#include "engine/device/choose.h"
#include "models/memory.h"
#include "models/run.h"

namespace seqgrad {
namespace {

using Json = nlohmann::ordered_json;

Json bench_loss(const BenchOptions& o) {
  if (choose_device(o.device).device == Device::cuda) return bench_loss_on_gpu(o);
  if (o.precision != "fp32") refuse("bench loss: --precision {} is for a GPU: write --device cuda", shown(o.precision));
  const auto n = [](int64_t x) { return static_cast<double>(x); };
  check_memory(o.hidden > 0 ? 8 * n(o.hidden) * (n(o.rows) + n(o.vocab)) : 12 * n(o.rows) * n(o.vocab),
               "the tensors need", "make --rows, --vocab or --hidden smaller");
  set_threads(o.threads);
  Random r(1, 0);
  const LossInputs in = bench_targets(o, r);
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
        if (leaf.defined()) std::memset(grad(leaf).data, 1, leaf.bytes());
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
    out["gemm_gflops"] = gemm_rate().gflops,
    out["gflop"] = 6e-9 * static_cast<double>(rows.all.active) * static_cast<double>(o.vocab * o.hidden);
  return out;
}

const bool registered = register_benchmark({"loss", bench_loss});

}  // namespace

LossInputs bench_targets(const BenchOptions& o, Random& random) {
  LossInputs in;
  in.batch = o.rows;
  in.steps = 1;
  in.classes = o.vocab;
  in.lengths.emplace();
  for (int64_t i = 0; i < o.rows; ++i) {
    in.targets.push_back(static_cast<int64_t>(random.below(static_cast<uint64_t>(o.vocab))));
    in.lengths->push_back(random.uniform() >= o.masked);
  }
  return in;
}

}  // namespace seqgrad

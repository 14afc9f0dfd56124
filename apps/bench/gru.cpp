// `seqgrad bench gru`: one GRU layer with its input projection, forward and backward, over sentences of true lengths.
#include <cmath>

#include "apps/bench/bench.h"
#include "apps/bench/measure.h"
#include "engine/core/random.h"
#include "engine/core/thread_pool.h"
#include "engine/nn/layers.h"
#include "engine/run/memory_limit.h"

namespace seqgrad {
namespace {

nlohmann::ordered_json bench_gru(const BenchOptions& o) {
  for (const std::string& axis : o.axes)
    if (axis.starts_with("V=")) refuse("bench gru: --axis {}: a GRU layer has no vocabulary", shown(axis));
  const ReferenceModel m = sized_model(o);
  const int64_t b = m.batch, t = m.target_steps, e = m.embedding, h = m.decoder_hidden;
  const auto n = [](int64_t x) { return static_cast<double>(x); };
  check_memory(4 * (16 * 3 * n(h) * (n(e) + n(h)) / 4 + n(b) * n(t) * (2 * n(e) + 16 * n(h))), "the layer needs",
               "make its sizes smaller");
  set_threads(o.threads);
  Random r(1, 0);
  const std::vector<int32_t> lengths = bench_lengths(r, b, t);
  const auto noise = [&](int64_t count) {
    std::vector<float> v(static_cast<size_t>(count));
    for (float& x : v) x = static_cast<float>(r.normal());
    return v;
  };
  const std::vector<float> x = noise(b * t * e), upstream = noise(b * t * h);
  ParameterStore store(DType::f32, Device::cpu);
  const GruLayer layer(store, "gru", "_l0", e, h, false);
  store.allocate(1);
  Tape& tape = Tape::current();
  std::vector<double> forward, backward, total;
  for (int i = 0; i < o.warmup + o.steps; ++i) {
    tape.reset();
    const Tensor in = variable(from_host(x, {b, t, e})), dy = from_host(upstream, {b, t, h}),
                 h0 = zeros({b, h}, DType::f32), steps = from_host(lengths, {b});
    grad(in);
    const double start = now_ms();
    const Tensor y = layer(in, h0, steps);
    const double middle = now_ms();
    tape.backward(y, dy);
    const double end = now_ms();
    if (i < o.warmup) continue;
    forward.push_back(middle - start);
    backward.push_back(end - middle);
    total.push_back(end - start);
  }
  const int64_t peak = peak_bytes();
  return {{"what", "seqgrad_gru"},
          {"preset", o.preset},
          {"sizes", {{"E", e}, {"H", h}, {"B", b}, {"T", t}}},
          {"threads", threads()},
          {"total_ms", quartiles(total)},
          {"forward_ms", quartiles(forward)},
          {"backward_ms", quartiles(backward)},
          {"gflop", 6e-9 * n(b) * n(t) * 3 * n(h) * (n(e) + n(h))},
          {"gemm_gflops", gemm_rate().gflops},
          {"peak_bytes", peak}};
}

const bool gru_registered = register_benchmark({"gru", bench_gru});

}  // namespace
}  // namespace seqgrad

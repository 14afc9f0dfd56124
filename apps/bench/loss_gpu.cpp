// `seqgrad bench loss --device cuda`: the row kernel on logits beside a copy of the same bytes, or the fused loss.
#include <algorithm>
#include <cmath>

#include "apps/bench/bench.h"
#include "apps/bench/measure.h"
#include "engine/device/gemm.h"
#include "engine/loss/launch_loss.h"
#include "engine/loss/loss_tile.h"
#include "engine/loss/row_target.h"

namespace seqgrad {
namespace {

using Json = nlohmann::ordered_json;

// Float32 numbers on the GPU that outlive steps.
class Numbers {
 public:
  explicit Numbers(int64_t count) : bytes_(static_cast<size_t>(count) * sizeof(float)), data_(gpu().allocate(bytes_)) {}
  Numbers(int64_t count, Random& random, double scale) : Numbers(count) {  // a block of them, over and over
    std::vector<float> block(1 << 20);
    for (float& x : block) x = static_cast<float>(scale * random.normal());
    for (size_t at = 0; at < bytes_; at += block.size() * sizeof(float))
      gpu().upload(static_cast<char*>(data_) + at, block.data(), std::min(bytes_ - at, block.size() * sizeof(float)));
  }
  ~Numbers() { gpu().release(data_, bytes_); }
  Numbers(const Numbers&) = delete;
  Numbers& operator=(const Numbers&) = delete;

  float* data() const { return static_cast<float*>(data_); }
  Tensor tensor(Shape shape) const { return variable(wrap(data(), shape, Device::cuda)); }

 private:
  static const Backend& gpu() { return backend(Device::cuda); }
  size_t bytes_;
  void* data_;
};

// Milliseconds of `once`, of which `calls` follow each other between two waits.
Json timed(const BenchOptions& o, int calls, const std::function<void()>& once) {
  const Backend& gpu = backend(Device::cuda);
  std::vector<double> ms;
  for (int i = 0; i < o.warmup + o.steps; ++i) {
    double spent = 0;
    for (int c = 0; c < calls; ++c) {
      Tape::current().reset();
      if (c == 0) {
        gpu.synchronise();
        spent = now_ms();
      }
      once();
    }
    gpu.synchronise();
    if (i >= o.warmup) ms.push_back((now_ms() - spent) / calls);
  }
  return quartiles(ms);
}

// Gradients go beside the logits, so that every call reads the same; in place they take as long.
Json row_kernel(const BenchOptions& o, const BenchTargets& targets, const LiveRows& rows, Random& random) {
  const int64_t n = o.rows * o.vocab, live = static_cast<int64_t>(rows.rows.size());
  const Numbers x(n, random, 1), g(n), results(live * static_cast<int64_t>(sizeof(RowResult) / sizeof(float)));
  const Json times = timed(o, 10, [&] {
    const RowRule rule = row_rule(targets.inputs, targets.options);
    StepInputs in(Device::cuda);
    RowTask* tasks = row_tasks(rule, rows, dense_rows(in, rows));
    for (int64_t i = 0; i < live; ++i) {
      const LiveRow& r = rows.rows[static_cast<size_t>(i)];
      tasks[i].offset = r.row * o.vocab;
      tasks[i].coefficient = r.weight / rows.divisor;
    }
    const RowTask* device_tasks = on_device(in, tasks, live);
    const RowRule device_rule = on_device(in, rule, DType::f32, !rows.dense.empty());
    in.upload();
    kernels::row_loss<float>(Device::cuda, {x.data(), g.data(), device_tasks,
                                            reinterpret_cast<RowResult*>(results.data()), live, device_rule});
  });
  const double bytes = 2.0 * 4 * static_cast<double>(live * o.vocab),
               copy = copy_gb_per_s(static_cast<size_t>(4 * live * o.vocab), Device::cuda);
  return {{"total_ms", times},
          {"bytes", bytes},
          {"copy_gb_per_s", copy},
          {"share_of_copy", bytes / times["median"].get<double>() / 1e6 / copy}};
}

Json fused(const BenchOptions& o, const BenchTargets& targets, const LiveRows& rows, Random& random) {
  const Numbers h(o.rows * o.hidden, random, 1),
      w(o.vocab * o.hidden, random, 1 / std::sqrt(static_cast<double>(o.hidden))), b(o.vocab), stop(1);
  const auto bytes_of = [](int64_t count) { return 4 * count; };
  const Json times = timed(o, 1, [&] {
    StepInputs in(Device::cuda);
    const LossTasks tasks(in, {DType::f32, true, true}, targets.inputs, rows, targets.options, rows.divisor);
    in.upload();
    Tape::current().backward(launch_linear_loss(h.tensor({o.rows, 1, o.hidden}), w.tensor({o.vocab, o.hidden}),
                                                b.tensor({o.vocab}), tasks, reinterpret_cast<int32_t*>(stop.data())));
  });
  const int64_t gradients = bytes_of(o.rows * o.hidden + o.vocab * o.hidden + o.vocab);
  const double gflop =
      6e-9 * static_cast<double>(rows.rows.size()) * static_cast<double>(o.vocab) * static_cast<double>(o.hidden);
  return {{"total_ms", times},
          {"gflop", gflop},
          {"tflop_per_s", gflop / times["median"].get<double>()},
          {"logits_bytes", bytes_of(loss_tile(Device::cuda, o.vocab, 4).size())},
          {"extra_bytes", static_cast<int64_t>(Tape::current().high_water()) - gradients}};
}

MatmulPrecision precision_of(const std::string& name) {
  if (name == "tf32") return MatmulPrecision::tf32;
  if (name == "bf16") return MatmulPrecision::bf16;
  if (name != "fp32") refuse("bench loss: --precision: expected fp32, tf32 or bf16, got '{}'", shown(name));
  return MatmulPrecision::fp32;
}

}  // namespace

Json bench_loss_on_gpu(const BenchOptions& o) {
  set_matmul_precision(precision_of(o.precision), Device::cuda);
  Random random(1, 0);
  const BenchTargets targets = bench_targets(o, random);
  const LiveRows rows = build_live_rows(targets.inputs, targets.options);
  if (rows.rows.empty()) refuse("bench loss: --masked {} leaves no row that counts", o.masked);
  Json out = {{"what", o.hidden > 0 ? "seqgrad_linear_loss" : "seqgrad_loss"},
              {"rows", o.rows},
              {"vocab", o.vocab},
              {"hidden", o.hidden},
              {"masked", o.masked},
              {"target", o.target},
              {"smoothing", o.smoothing},
              {"class_weights", o.class_weights},
              {"precision", o.precision},
              {"device", backend(Device::cuda).describe()}};
  out.update(o.hidden > 0 ? fused(o, targets, rows, random) : row_kernel(o, targets, rows, random));
  return out;
}

}  // namespace seqgrad

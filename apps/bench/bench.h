// What `seqgrad bench` can time. A benchmark registers itself from its own file.
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/bench/reference_model.h"
#include "engine/core/random.h"
#include "engine/loss/live_rows.h"

namespace seqgrad {

struct BenchOptions {
  std::string preset = "small", attention = "none", precision = "fp32", device = "cpu";
  std::vector<std::string> axes;  // "V=64000"
  int threads = 2, steps = 20, warmup = 5;
  int64_t rows = 1600, vocab = 8000, hidden = 0, shards = 1, megabytes = 45;
  double masked = 0;
  std::string target = "ids", smoothing = "none";
  bool class_weights = false;
  bool phases = false;
  std::string run, out;
  int64_t beam = 1;
  bool one_at_a_time = false;
};

struct Benchmark {
  std::string name;
  nlohmann::ordered_json (*run)(const BenchOptions&);
};
const std::map<std::string, Benchmark>& benchmarks();
bool register_benchmark(const Benchmark& benchmark);

// The preset with the sizes of `axes` in place of its own: E, H (decoder; the encoder has half of it each way), V, B,
// T.
ReferenceModel sized_model(const BenchOptions& options);

// The same for its JSON: {"E": 256, …}.
nlohmann::ordered_json sizes_of(const ReferenceModel& m);

// Random targets of o.rows rows, of which a share of o.masked does not count, and the loss that o asks for.
struct BenchTargets {
  LossInputs inputs;
  LossOptions options;
};
BenchTargets bench_targets(const BenchOptions& o, Random& random);
// `bench loss` on a GPU.
nlohmann::ordered_json bench_loss_on_gpu(const BenchOptions& o);

// Lengths as the PyTorch and JAX benchmarks draw them: uniform in [2T/3, T], the first T.
std::vector<int32_t> bench_lengths(Random& random, int64_t batch, int64_t steps);

}  // namespace seqgrad

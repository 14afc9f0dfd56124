// What another GPU than the one at hand may have less of, and what a person reads when a call fails there.
#include <cmath>
#include <cstdlib>

#include "engine/device/gemm.h"
#include "engine/device/step_graph.h"
#include "engine/loss/launch_loss.h"
#include "engine/ops/attention_gru.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/matmul.h"
#include "engine/ops/reduce.h"
#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/step_queue.h"
#include "tests/emulate/gpu_emulator.h"
#include "tests/support/loss_helpers.h"
#include "tests/support/random_batch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

struct SharedMemory {
  explicit SharedMemory(size_t bytes) { emulate::set_most_shared(bytes); }
  ~SharedMemory() { emulate::set_most_shared(227 << 10); }
};

struct GemmBitsDependOnRows {
  GemmBitsDependOnRows() { emulate::set_gemm_bits_depend_on_rows(true); }
  ~GemmBitsDependOnRows() { emulate::set_gemm_bits_depend_on_rows(false); }
};

template <class T>
std::vector<T> drawn(uint64_t seed, int64_t n) {
  Random random(seed, 0);
  std::vector<T> x;
  for (int64_t i = 0; i < n; ++i) x.push_back(static_cast<T>(random.normal()));
  return x;
}

template <class T>
std::vector<std::vector<T>> attention_step() {  // wider than 1,024 bytes hold
  constexpr int64_t b = 2, t = 2, s = 3, e = 2, h = 90, c = 4, d = 140;
  Tape::current().reset();
  uint64_t seed = 0;
  const auto of = [&](Shape shape) {
    std::vector<T> x = drawn<T>(++seed, shape.numel());
    for (T& v : x) v *= T(0.3);
    return variable(from_host(x, shape, Device::cuda));
  };
  const auto lengths = [](std::vector<int32_t> x) { return from_host(x, {b}, Device::cuda); };
  const AttentiveCell cell{of({e + c, 3 * h}), of({3 * h}), of({h, 3 * h}), of({3 * h}), of({h, d}), of({d}), of({d})};
  const AttendedSource source{of({b, s, d}), of({b, s, c}), lengths({3, 2})};
  const Tensor x = of({b, t, e}), h0 = of({b, h}), y = attention_gru(x, cell, h0, source, lengths({2, 1}));
  Tape::current().backward(sum(square(y)));
  std::vector<std::vector<T>> out{to_host<T>(y)};
  for (const Tensor& in : {x, cell.w_ih, cell.b_ih, cell.w_hh, cell.b_hh, cell.w_query, cell.b_query, cell.v, h0,
                           source.keys, source.values})
    out.push_back(to_host<T>(grad(in)));
  return out;
}

// A fused loss of lengths [B] with `more` steps and examples of padding.
struct Padded {
  std::vector<double> row_loss;
  std::vector<float> live_dh, dw, db;
  bool operator==(const Padded&) const = default;
};
Padded fused(const std::vector<int64_t>& lengths, int64_t steps, int64_t more_steps, int64_t more_examples) {
  constexpr int64_t classes = 40, width = 64;
  Tape::current().reset();
  const int64_t examples = static_cast<int64_t>(lengths.size()), batch = examples + more_examples,
                all_steps = steps + more_steps;
  LossInputs in;
  in.batch = batch, in.steps = all_steps, in.classes = classes;
  in.targets.assign(static_cast<size_t>(batch * all_steps), 1000000);
  in.lengths.emplace(static_cast<size_t>(batch), 0);
  std::vector<float> h(static_cast<size_t>(batch * all_steps * width), NAN);
  const std::vector<float> live = drawn<float>(7, examples * steps * width);
  for (int64_t b = 0; b < examples; ++b) {
    (*in.lengths)[static_cast<size_t>(b)] = lengths[static_cast<size_t>(b)];
    for (int64_t t = 0; t < lengths[static_cast<size_t>(b)]; ++t) {
      in.targets[static_cast<size_t>(b * all_steps + t)] = (b + 3 * t) % classes;
      std::copy_n(live.begin() + (b * steps + t) * width, width, h.begin() + (b * all_steps + t) * width);
    }
  }
  const Tensor x = variable(from_host(h, {batch, all_steps, width}, Device::cuda)),
               w = variable(from_host(drawn<float>(8, classes * width), {classes, width}, Device::cuda)),
               bias = variable(from_host(drawn<float>(9, classes), {classes}, Device::cuda));
  const LossResult r = linear_sequence_loss(x, w, bias, in, LossOptions{});
  Tape::current().backward(r.value);
  Padded out{r.row_loss, {}, to_host<float>(grad(w)), to_host<float>(grad(bias))};
  const std::vector<float> dh = to_host<float>(grad(x));
  for (int64_t b = 0; b < examples; ++b) {
    const auto at = dh.begin() + b * all_steps * width;
    out.live_dh.insert(out.live_dh.end(), at, at + lengths[static_cast<size_t>(b)] * width);
  }
  return out;
}

std::string with_sync(const std::string& value) {
  const Scratch dir;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe"), log = dir / "log";
  CHECK(std::system(
            ("SEQGRAD_TRY=1 SEQGRAD_SYNC=" + value + " " + self + " '[.each_call_waits]' >" + log + " 2>&1").c_str()) ==
        0);
  return slurp(log);
}

}  // namespace

TEST_CASE("rows of float64 that a block cannot hold are read in parts, on a GPU with 64 KiB of shared memory") {
  for (const int64_t classes : {8001, 8192, 9000, 20001}) {
    CAPTURE(classes);
    Numbers n(1, 3, classes, drawn<double>(4, 3 * classes), {0, classes - 1, 4096});
    n.options.smoothing = 0.1;
    const auto cpu = n.run();
    n.device = Device::cuda;
    const auto large = n.run();
    const SharedMemory turing(64 << 10);
    const auto small = n.run();
    check_close(small.value, cpu.value, 1e-13);
    check_close(small.gradient, cpu.gradient, 1e-15);
    check_close(large.gradient, cpu.gradient, 1e-15);
  }
}

TEST_CASE("a layer whose step does not fit in shared memory has the bits of one that does") {
  const auto f32 = attention_step<float>();
  const auto f64 = attention_step<double>();
  const int64_t before = emulate::launches();
  const SharedMemory little(2100);  // what other kernels ask for
  CHECK(attention_step<float>() == f32);
  CHECK(attention_step<double>() == f64);
  CHECK(emulate::launches() > before);
}

TEST_CASE("padding changes no bit of the fused loss although products of another height sum in another order") {
  const GemmBitsDependOnRows as_in_cublas;
  const auto product = [](int64_t rows) {  // the first row of products of two heights
    Tape::current().reset();
    std::vector<float> x = drawn<float>(1, 64 * 64);
    x.resize(static_cast<size_t>(rows * 64));
    const Tensor y =
        matmul(from_host(x, {rows, 64}, Device::cuda), from_host(drawn<float>(2, 64 * 8), {64, 8}, Device::cuda));
    std::vector<float> first = to_host<float>(y);
    first.resize(8);
    return first;
  };
  REQUIRE(product(32) != product(64));  // the emulator shows it
  Random random(5, 0);
  for (int trial = 0; trial < 60; ++trial) {
    const auto below = [&](uint64_t n) { return static_cast<int64_t>(random.below(n)); };
    std::vector<int64_t> lengths;
    const int64_t steps = 1 + below(30);
    for (int64_t b = 1 + below(12); b > 0; --b) lengths.push_back(below(static_cast<uint64_t>(steps + 1)));
    const int64_t more_steps = below(40), more_examples = below(10);
    CAPTURE(trial, lengths, steps, more_steps, more_examples);
    REQUIRE(fused(lengths, steps, more_steps, more_examples) == fused(lengths, steps, 0, 0));
  }
}

TEST_CASE("rows that are computed are few more than live ones, and a function of their number alone") {
  LiveRows rows;
  for (int64_t live = 0; live <= 5000; ++live) {
    rows.rows.resize(static_cast<size_t>(live));
    const int64_t n = computed_rows(rows, Device::cuda);
    REQUIRE((n >= live && n % 32 == 0 && n - live < std::max<int64_t>(32, live / 8 + 1)));
    rows.batch = live + 1, rows.steps = 9;
    REQUIRE(computed_rows(rows, Device::cuda) == n);
    rows.batch = rows.steps = 0;
    REQUIRE(computed_rows(rows, Device::cpu) == live);
  }
}

TEST_CASE("a part of a wide row that is all -inf makes a smoothed loss +inf, as on the CPU, and nothing NaN") {
  constexpr int64_t classes = 40000;
  std::vector<double> z(static_cast<size_t>(2 * classes), 0.5);
  std::fill_n(z.begin() + 8192, 8192, -infinity);  // a whole part of the first row, in both precisions
  for (const double smoothing : {0.0, 0.1}) {
    CAPTURE(smoothing);
    Numbers n(1, 2, classes, z, {3, 4});
    n.options.nonfinite = Nonfinite::propagate;
    n.options.smoothing = smoothing;
    const auto cpu = n.run();
    n.device = Device::cuda;
    const auto gpu = n.run();
    CHECK(cpu.result.row_loss[0] == (smoothing > 0 ? infinity : std::log(double{classes - 8192})));
    check_close(gpu.result.row_loss, cpu.result.row_loss, 1e-13);
    check_close(gpu.gradient, cpu.gradient, 1e-15);
    CHECK_FALSE(std::isnan(gpu.gradient[0]));
  }
}

TEST_CASE("a failing call is told with the kernel that made it, its sizes and the library's status") {
  Tape::current().reset();
  const Tensor x = from_host(std::vector<float>(6, 1), {2, 3}, Device::cuda),
               w = from_host(std::vector<float>(12, 1), {3, 4}, Device::cuda);
  matmul(x, w);
  emulate::fail_next("launch", cudaErrorLaunchFailure);
  CHECK(error_of([&] { sum(x); }) ==
        "3 device cuda: sum: launch of 1 blocks of 256 threads with 64 bytes of shared memory: unspecified launch "
        "failure "
        "(cudaErrorLaunchFailure, 719)");
  emulate::fail_next("cublasGemmEx", 13);
  CHECK(error_of([&] { matmul(x, w); }) ==
        "3 cuBLAS: gemm: 1 product of [2,3] and [3,4], float32 failed with status 13");
  CHECK(error_of([&] { matmul(x, w); }) == "");
}

TEST_CASE("each call waits", "[.each_call_waits]") {
  if (!std::getenv("SEQGRAD_TRY")) return;  // run by the test below
  Tape::current().reset();
  const Tensor x = from_host(std::vector<float>(6, 1), {2, 3}, Device::cuda);
  int64_t before = emulate::synchronisations();
  const Tensor y = sum(x);
  std::fprintf(stderr, "waited %lld\n", static_cast<long long>(emulate::synchronisations() - before));
  emulate::fail_next("cudaStreamSynchronize", cudaErrorIllegalAddress);
  std::fprintf(stderr, "said %s\n", error_of([&] {
                                      sum(x);
                                      if (!std::getenv("SEQGRAD_SYNC")[0])
                                        to_host<float>(y);
                                      else
                                        to_host<float>(y);
                                    }).c_str());
}

TEST_CASE("SEQGRAD_SYNC=1 tells the kernel in which the device failed, which else comes out at a later call") {
  const std::string sync = with_sync("1"), without = with_sync("0");
  CHECK_THAT(sync, Catch::Matchers::Contains("waited 1\n"));
  CHECK_THAT(sync,
             Catch::Matchers::Contains("said 3 device cuda: sum: launch of 1 blocks of 256 threads with 64 bytes of "
                                       "shared memory: an illegal memory access was encountered"));
  CHECK_THAT(without, Catch::Matchers::Contains("waited 0\n"));
  CHECK_THAT(without,
             Catch::Matchers::Contains("said 3 device cuda: work on the device (SEQGRAD_SYNC=1 tells which): an "
                                       "illegal memory access was encountered"));
}

TEST_CASE("uploads go on without a wait however many they are, and arrive") {
  const Backend& gpu = backend(Device::cuda);
  constexpr size_t n = 100000;
  void* memory = gpu.allocate(n * sizeof(float));
  const int64_t waited = emulate::synchronisations();
  for (int i = 0; i < 100; ++i) {
    const std::vector<float> x(n, static_cast<float>(i));
    gpu.upload(memory, x.data(), n * sizeof(float));
  }
  CHECK(emulate::synchronisations() == waited);
  CHECK(to_host(static_cast<const float*>(memory), n, Device::cuda) == std::vector<float>(n, 99.0f));
  const std::vector<float> large(10 * (size_t{1} << 20), 2.5f);  // more than both halves hold
  void* more = gpu.allocate(large.size() * sizeof(float));
  gpu.upload(more, large.data(), large.size() * sizeof(float));
  CHECK(to_host(static_cast<const float*>(more), static_cast<int64_t>(large.size()), Device::cuda) == large);
  gpu.release(more, large.size() * sizeof(float));
  gpu.release(memory, n * sizeof(float));
}

TEST_CASE("a log of many steps grows without a wait, and is told in order") {
  Config config;
  load(config, "",
       {"data.task=copy", "model.embedding=3", "model.encoder.hidden=2", "model.decoder.hidden=2",
        "model.attention=none"});
  const LossSetup loss = make_loss_setup(config.loss, 17);
  const auto run = [&](size_t log_bytes) {
    const auto model = make_model(config, {17, 17}, Device::cuda);
    StepQueue queue(*model, loss, config.optim, {}, {}, log_bytes);
    std::vector<double> out;
    int64_t waited = 0;
    for (int64_t step = 1; step <= 30; ++step) {
      if (step == 4) waited = emulate::synchronisations();
      const ForwardContext context{true, 1, static_cast<uint64_t>(step), 0, 1};
      queue.run({random_batch(static_cast<uint64_t>(step % 3), 4, 3, 3)}, context, 0.01, step);
    }
    CHECK(emulate::synchronisations() == waited);
    for (const StepResult& r : queue.collect()) out.push_back(r.loss.numerator);
    return out;
  };
  const std::vector<double> whole = run(size_t{4} << 20);
  CHECK(whole.size() == 30);
  CHECK(run(1000) == whole);  // two steps or three a block
}

TEST_CASE("the nodes of a recorded step are counted") {
  StepGraphs graphs(Device::cuda);
  for (int i = 0; i < 2; ++i) {
    Tape::current().reset();
    graphs.run({{}, {}, [] {
                  const Tensor x = zeros({8}, DType::f32, Device::cuda);
                  add(x, tanh(x));
                }});
  }
  CHECK(graphs.nodes() == 3);
}

// The fused loss of a GPU where a tile of all classes would take too much memory.
#include "engine/core/random.h"
#include "engine/core/thread_pool.h"
#include "engine/device/gemm.h"
#include "engine/loss/launch_loss.h"
#include "engine/loss/loss_tile.h"
#include "engine/ops/elementwise.h"
#include "engine/run/process_settings.h"
#include "engine/train/config.h"
#include "tests/support/loss_helpers.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

// One MiB: tiles of 32 rows (16 in float64) by 8,192 classes.
struct SmallTiles {
  SmallTiles() { set_loss_tile_mib(1); }
  ~SmallTiles() { set_loss_tile_mib(256); }
};

struct Projection {
  static constexpr int64_t batch = 4, steps = 10, width = 4;
  int64_t classes;
  LossInputs in;
  LossOptions options;
  std::vector<double> hidden, weight, bias;

  explicit Projection(int64_t v) : classes(v) {
    Random random(3, static_cast<uint64_t>(v));
    in.batch = batch, in.steps = steps, in.classes = v;
    in.lengths = {10, 9, 8, 9};
    for (int64_t i = 0; i < batch * steps; ++i)
      in.targets.push_back(static_cast<int64_t>(random.below(static_cast<uint64_t>(v))));
    in.targets[0] = 0, in.targets[1] = v - 1, in.targets[2] = 8191, in.targets[3] = 8192;
    const auto fill = [&](std::vector<double>& x, int64_t n, double scale) {
      for (int64_t i = 0; i < n; ++i) x.push_back(scale * random.normal());
    };
    fill(hidden, batch * steps * width, 2);
    fill(weight, v * width, 1);
    fill(bias, v, 1);
  }

  struct Out {
    std::vector<double> told, gradients;
    bool operator==(const Out&) const = default;
  };
  template <class T>
  Out run(Device device, ParameterGradients when = ParameterGradients::now) const {
    Tape& tape = Tape::current();
    tape.reset();
    const auto from = [&](const std::vector<double>& x, Shape shape) {
      return variable(from_host(std::vector<T>(x.begin(), x.end()), shape, device));
    };
    const Tensor h = from(hidden, {batch, steps, width}), w = from(weight, {classes, width}),
                 b = bias.empty() ? Tensor{} : from(bias, {classes});
    const LiveRows live = build_live_rows(in, options);
    const LossResult r = linear_sequence_loss(h, w, b, in, live, options, live.divisor, when);
    tape.backward(r.value, from_host(std::vector<T>(r.values.size(), T{1}), r.value.shape, device));
    Out out{r.row_loss, {}};
    out.told.insert(out.told.end(), r.correct.begin(), r.correct.end());
    out.told.insert(out.told.end(), r.values.begin(), r.values.end());
    out.told.insert(out.told.end(), {r.sum.stats.nll_sum, r.sum.stats.z_sum});
    for (const Tensor& x : {h, w, b})
      if (x.defined())
        for (const T d : to_host<T>(grad(x))) out.gradients.push_back(static_cast<double>(d));
    return out;
  }
};

template <class T>
void compare(const Projection& p, double tolerance) {
  const auto want = p.run<T>(Device::cpu);
  const SmallTiles chunks;
  REQUIRE(loss_tile(Device::cuda, p.classes, sizeof(T)).classes == 8192);
  const auto got = p.run<T>(Device::cuda);
  REQUIRE(p.run<T>(Device::cuda, ParameterGradients::in_backward) == got);
  check_close(got.told, want.told, tolerance);
  double largest = 0, worst = 0;
  REQUIRE(got.gradients.size() == want.gradients.size());
  for (size_t i = 0; i < want.gradients.size(); ++i) {
    largest = std::max(largest, std::abs(want.gradients[i]));
    worst = std::max(worst, std::abs(got.gradients[i] - want.gradients[i]));
  }
  CHECK(worst <= tolerance * largest);
}

void compare_both(const std::function<void(Projection&)>& change) {
  Projection packs(16400), single(16389);  // the last chunk is read 16 bytes at a time, and number by number
  change(packs);
  change(single);
  compare<float>(packs, 5e-5);
  compare<double>(single, 1e-12);
}

}  // namespace

TEST_CASE("a tile of the fused loss fits the memory allowed, by rows or by classes") {
  for (const int64_t mib : {1, 7, 64, 256, 4096})
    for (const int64_t classes : {1, 1000, 8000, 8193, 32000, 128000, 1'000'000})
      for (const int64_t bytes : {4, 8}) {
        CAPTURE(mib, classes, bytes);
        set_loss_tile_mib(mib);
        const LossTile tile = loss_tile(Device::cuda, classes, bytes);
        CHECK(loss_tile(Device::cpu, classes, bytes).classes == classes);
        CHECK(tile.rows % 32 == 0);
        CHECK((tile.size() * bytes <= mib << 20 || tile.size() <= 32 * 8192));
        CHECK((tile.classes == classes || (tile.classes % 8192 == 0 && tile.classes < classes)));
        if (tile.classes < classes) CHECK((mib << 20) / bytes / classes < 96);
      }
  set_loss_tile_mib(256);
  CHECK(loss_tile(Device::cuda, 8000, 4).classes == 8000);
  CHECK(loss_tile(Device::cuda, 32000, 4).classes == 32000);
  const auto wide = [](MatmulPrecision precision) {
    set_matmul_precision(precision, Device::cuda);
    const LossTile tile = loss_tile(Device::cuda, 128'000, 4);
    set_matmul_precision(MatmulPrecision::fp32);
    return std::pair{tile.rows, tile.classes};
  };
  CHECK(wide(MatmulPrecision::fp32) == std::pair<int64_t, int64_t>{512, 128'000});  // faster than to multiply twice
  CHECK(wide(MatmulPrecision::tf32) == std::pair<int64_t, int64_t>{1024, 65536});   // two chunks
  CHECK(wide(MatmulPrecision::bf16) == std::pair<int64_t, int64_t>{1344, 49152});   // three
}

TEST_CASE("the key logits_mib bounds a tile of the fused loss") {
  const auto mib_of = [](const std::string& key) {
    Config config;
    std::vector<std::string> keys{"data.task=copy", "device=cpu", fmt::format("threads={}", threads())};
    if (!key.empty()) keys.push_back(key);
    load(config, "", keys);
    apply_process_settings(config);
    return static_cast<double>(loss_tile(Device::cuda, 1 << 20, 4).size()) / (1 << 18);
  };
  CHECK(mib_of("logits_mib=8") == 8);
  CHECK(mib_of("logits_mib=1") == 1);
  const double usual = mib_of("");
  CHECK(usual > 200);
  CHECK(usual <= 256);
}

TEST_CASE("chunks of classes give the loss and the gradients of whole rows") {
  compare_both([](Projection&) {});
  compare_both([](Projection& p) { p.bias.clear(), p.options.over = Over::batch; });
}

TEST_CASE("chunks of classes with a smoothed, capped and penalised loss, and with weights of classes") {
  compare_both([](Projection& p) { p.options.smoothing = 0.1, p.options.softcap = 4.0, p.options.z_loss = 1e-3; });
  compare_both([](Projection& p) {
    p.options.smoothing = 0.1, p.options.class_scope = ClassScope::per_class;
    p.in.class_weight.emplace();
    for (int64_t v = 0; v < p.classes; ++v) p.in.class_weight->push_back(0.25 * static_cast<double>(v % 7));
  });
}

TEST_CASE("a loss in chunks that nobody waits for is the one that is waited for") {
  const SmallTiles chunks;
  const Projection p(16400);
  const auto want = p.run<float>(Device::cuda);
  Tape& tape = Tape::current();
  tape.reset();
  const auto from = [&](const std::vector<double>& x, Shape shape) {
    return variable(from_host(std::vector<float>(x.begin(), x.end()), shape, Device::cuda));
  };
  const Tensor h = from(p.hidden, {p.batch, p.steps, p.width}), w = from(p.weight, {p.classes, p.width}),
               b = from(p.bias, {p.classes});
  const LiveRows live = build_live_rows(p.in, p.options);
  StepInputs in(Device::cuda);
  const LossTasks tasks(in, {DType::f32, true, true}, p.in, live, p.options, live.divisor);
  in.upload();
  tape.backward(launch_linear_loss(h, w, b, tasks, nullptr));
  std::vector<RowResult> results(live.rows.size());
  backend(Device::cuda).download(results.data(), tasks.device_results, results.size() * sizeof(RowResult));
  CHECK(collect_loss(p.in, live, p.options, live.divisor, results).row_loss ==
        std::vector<double>(want.told.begin(), want.told.begin() + static_cast<std::ptrdiff_t>(results.size())));
  std::vector<double> gradients;
  for (const Tensor& x : {h, w, b})
    for (const float d : to_host<float>(grad(x))) gradients.push_back(static_cast<double>(d));
  CHECK(gradients == want.gradients);
}

TEST_CASE("a row in chunks that is not finite is named, and may be let through") {
  const SmallTiles chunks;
  for (const double bad : {NaN, infinity}) {
    Projection p(16400);
    p.bias[16390] = bad;
    CHECK(message_of([&] { p.run<float>(Device::cuda); }) ==
          fmt::format("logits(b=0,t=0,v=16390) is {} on a live row", std::isnan(bad) ? "nan" : "inf"));
    p.bias[16390] = 0;
    p.hidden[13 * p.width] = bad;
    CHECK(message_of([&] { p.run<float>(Device::cuda); }).find("logits(b=1,t=3,v=") == 0);
    p.options.nonfinite = Nonfinite::propagate;
    const auto gradients = p.run<float>(Device::cuda).gradients;
    CHECK(std::isfinite(gradients[12 * p.width]));
    CHECK(std::isnan(gradients[13 * p.width]));
    CHECK(std::isfinite(gradients[14 * p.width]));
  }
}

TEST_CASE("two losses of the same hidden states add their gradients, made in forward or in backward") {
  const Projection p(16400);
  Tape& tape = Tape::current();
  for (const Device device : {Device::cpu, Device::cuda})
    for (const ParameterGradients when : {ParameterGradients::now, ParameterGradients::in_backward}) {
      CAPTURE(name_of(device), when == ParameterGradients::now);
      tape.reset();
      const auto from = [&](const std::vector<double>& x, Shape shape) {
        return variable(from_host(x, shape, device));
      };
      const Tensor h = from(p.hidden, {p.batch, p.steps, p.width}), w = from(p.weight, {p.classes, p.width}),
                   b = from(p.bias, {p.classes});
      const LiveRows live = build_live_rows(p.in, p.options);
      const auto loss = [&] { return linear_sequence_loss(h, w, b, p.in, live, p.options, live.divisor, when).value; };
      const Tensor first = loss();
      tape.backward(add(first, loss()));
      std::vector<double> got;
      for (const Tensor& x : {h, w, b})
        for (const double d : to_host<double>(grad(x))) got.push_back(d);
      std::vector<double> want = p.run<double>(device, when).gradients;
      for (double& d : want) d *= 2;
      check_close(got, want, 1e-13);
    }
}

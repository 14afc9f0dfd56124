// The public function on arrays, as a program of somebody else calls it.
#include "engine/api/include/seqgrad/seqgrad.h"

#include <array>
#include <cmath>
#include <cstring>
#include <thread>

#include "engine/core/random.h"
#include "engine/core/tape.h"
#include "tests/support/loss_helpers.h"

using namespace seqgrad;
using seqgrad::testing::check_close;
using seqgrad::testing::close;
using seqgrad::testing::NaN;

namespace {

// A batch of arrays, and a weighted, smoothed mean of it in plain loops.
struct Arrays {
  int64_t b, t, v;
  std::vector<double> logits, weight;
  std::vector<int> targets, lengths;

  Arrays(uint64_t seed, int64_t batch, int64_t steps, int64_t classes) : b(batch), t(steps), v(classes) {
    Random random(seed, 0);
    for (int64_t n = 0; n < b * t; ++n) {
      for (int64_t j = 0; j < v; ++j) logits.push_back(2 * random.normal());
      targets.push_back(static_cast<int>(random.below(static_cast<uint64_t>(v))));
      weight.push_back(static_cast<double>(1 + random.below(3)) / 2);
    }
    for (int64_t i = 0; i < b; ++i) lengths.push_back(static_cast<int>(random.below(static_cast<uint64_t>(t) + 1)));
    lengths[0] = static_cast<int>(t);
  }
  LossShape shape() const { return {b, t, v}; }
  LossArguments arguments() const {
    return {.lengths = lengths, .token_weight = weight, .divide = "weight", .smoothing = 0.1};
  }

  struct Want {
    double value = 0, divisor = 0;
    std::vector<double> gradient, token;
  };
  Want weighted_mean(double smoothing) const {
    Want w;
    w.gradient.resize(logits.size());
    w.token.resize(targets.size());
    for (int64_t n = 0; n < b * t; ++n)
      if (n % t < lengths[static_cast<size_t>(n / t)]) w.divisor += weight[static_cast<size_t>(n)];
    for (int64_t n = 0; n < b * t; ++n) {
      if (n % t >= lengths[static_cast<size_t>(n / t)]) continue;
      const double* z = logits.data() + n * v;
      double sum = 0;
      for (int64_t j = 0; j < v; ++j) sum += std::exp(z[j]);
      const double share = weight[static_cast<size_t>(n)] / w.divisor;
      for (int64_t j = 0; j < v; ++j) {
        const double q =
            smoothing / static_cast<double>(v) + (targets[static_cast<size_t>(n)] == j ? 1 - smoothing : 0.0);
        w.token[static_cast<size_t>(n)] += q * (std::log(sum) - z[j]);
        w.gradient[static_cast<size_t>(n * v + j)] = share * (std::exp(z[j]) / sum - q);
      }
      w.value += share * w.token[static_cast<size_t>(n)];
    }
    return w;
  }
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

struct Refusal {
  std::string code, message;
};
template <class F>
Refusal refusal(F&& f) {
  try {
    f();
  } catch (const LossRefused& e) {
    return {e.code(), e.what()};
  }
  return {"none", ""};
}

}  // namespace

TEST_CASE("value, gradient and tokens of arrays are those of plain loops") {
  const Arrays a(GENERATE(1, 2, 3), 4, 5, 7);
  const Arrays::Want want = a.weighted_mean(0.1);
  const LossOutput<double> r = loss(a.logits, a.shape(), a.targets, a.arguments());
  CHECK(close(r.value, want.value, 1e-12));
  CHECK(close(r.divisor, want.divisor, 1e-12));
  CHECK(close(r.numerator, want.value * want.divisor, 1e-12));
  CHECK(r.values == std::vector{r.value});
  check_close(r.d_logits, want.gradient, 1e-12);
  REQUIRE(r.tokens.size() == a.targets.size());
  double shares = 0;
  for (size_t n = 0; n < r.tokens.size(); ++n) {
    const bool counts = static_cast<int64_t>(n) % a.t < a.lengths[n / static_cast<size_t>(a.t)];
    CAPTURE(n);
    CHECK(close(r.tokens[n].loss, want.token[n], 1e-12));
    CHECK(r.tokens[n].weight == (counts ? a.weight[n] : 0));
    shares += r.tokens[n].share;
  }
  CHECK(close(shares, want.value, 1e-12));

  const std::vector<float> z(a.logits.begin(), a.logits.end());
  const LossOutput<float> f = loss(z, a.shape(), a.targets, a.arguments());
  CHECK(close(f.value, want.value, 1e-5));
  check_close(std::vector<double>(f.d_logits.begin(), f.d_logits.end()), want.gradient, 1e-5);
}

TEST_CASE("what does not count is not read, and its gradient is zero") {
  std::vector<float> logits = {1, 2, 3, 0, 0, 0, NAN, INFINITY, NAN};
  const auto r = loss(logits, {1, 3, 3}, {2, 0, 1000}, {.lengths = {3}, .mask = {1, 1, 0}});
  CHECK(close(r.value, (std::log(1 + std::exp(-1) + std::exp(-2)) + std::log(3)) / 2, 1e-6));
  CHECK(r.counted == 2);
  CHECK(r.correct == 2);  // of equal logits the first is the maximum
  for (size_t i = 6; i < 9; ++i) CHECK((r.d_logits[i] == 0 && !std::signbit(r.d_logits[i])));
  CHECK(r.tokens[2].weight == 0);
  CHECK(std::isnan(logits[6]));
}

TEST_CASE("a preset is a name; what it leaves open can be said beside it") {
  const Arrays a(4, 3, 4, 5);
  const auto mean = loss(a.logits, a.shape(), a.targets, {.lengths = a.lengths, .preset = "token_mean"});
  const auto sum = loss(a.logits, a.shape(), a.targets, {.lengths = a.lengths, .preset = "sum"});
  CHECK(close(sum.value, mean.value * mean.divisor, 1e-12));
  const auto sentences =
      loss(a.logits, a.shape(), a.targets, {.lengths = a.lengths, .preset = "tf1.sequence_loss_by_example"});
  REQUIRE(sentences.values.size() == 3);
  CHECK(std::isnan(sentences.value));
  const auto folded = loss(a.logits, a.shape(), a.targets,
                           {.lengths = a.lengths, .preset = "tf1.sequence_loss_by_example", .then = "mean"});
  CHECK(close(folded.value, (sentences.values[0] + sentences.values[1] + sentences.values[2]) / 3, 1e-12));
  const auto ignoring = loss(a.logits, a.shape(), a.targets, {.ignore_index = 2, .smoothing = 0.2});
  int64_t others = 0;
  for (const int y : a.targets) others += y != 2;
  CHECK(ignoring.counted == others);
  const auto flagged =
      loss(a.logits, a.shape(), a.targets,
           {.token_weight = a.weight, .preset = "tfa.sequence_loss", .flags = {{"average_across_batch", false}}});
  CHECK(flagged.values.size() == 3);  // average_across_timesteps alone: [B]
}

TEST_CASE("each option changes what it is for") {
  const Arrays a(7, 3, 4, 5);
  const std::vector<double> classes = {1, 2, 0.5, 1, 3}, prior = {0.5, 0.2, 0.1, 0.1, 0.1};
  const auto value = [&](const LossArguments& arguments) {
    return loss(a.logits, a.shape(), a.targets, arguments).value;
  };
  const double plain = value({}), smooth = value({.smoothing = 0.1});
  CHECK(close(value({.divide = "{const: 4.0}"}) * 4, plain * 12, 1e-12));
  CHECK(close(value({.divide = "{const: 4.0}", .divide_eps = 2.0}) * 6, plain * 12, 1e-12));
  CHECK(value({.divide = "{time: active, batch: batch}"}) == Approx(plain));
  CHECK(value({.example_weight = {2, 1, 0}, .divide = "weight"}) != plain);
  CHECK(value({.class_weight = classes}) != plain);
  CHECK(value({.class_weight = classes, .class_scope = "target", .smoothing = 0.1}) !=
        value({.class_weight = classes, .smoothing = 0.1}));
  CHECK(value({.token_weight = std::vector<double>(12, -1.0), .allow_negative_weights = true}) == -plain);
  CHECK(value({.smoothing = 0.1, .smoothing_kind = "others"}) != smooth);
  CHECK(value({.smoothing = 0.1, .smoothing_kind = "prior", .prior = prior}) != smooth);
  CHECK(value({.smoothing = 0.1, .smoothing_report = "kl"}) < smooth);
  CHECK(value({.softcap = 1.0}) != plain);
  CHECK(value({.z_loss = 0.1}) > plain);
  CHECK(std::isnan(value({.lengths = {0, 0, 0}, .on_zero = "nan"})));
  CHECK(std::isnan(loss(std::vector<double>{NaN, 0}, {1, 1, 2}, {0}, {.nonfinite = "propagate"}).value));
  const auto clipped = loss(std::vector<double>{0.95, 0.05}, {1, 1, 2}, {0}, {.input = "probs", .probs_eps = 0.1});
  CHECK(close(clipped.value, -std::log(0.9), 1e-12));
  CHECK(clipped.warnings.size() == 1);

  const std::vector<int> without_zero = {1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4};
  const auto others = loss(a.logits, a.shape(), without_zero, {.smoothing = 0.1, .smoothing_kind = "others"});
  const auto fewer = loss(a.logits, a.shape(), without_zero,
                          {.smoothing = 0.1, .smoothing_kind = "others_excluding", .smoothing_excluding = {0}});
  CHECK(fewer.value != others.value);
}

TEST_CASE("arrays of other types and containers mean the same") {
  const Arrays a(5, 3, 4, 6);
  const auto want = loss(a.logits, a.shape(), a.targets, {.lengths = a.lengths, .token_weight = a.weight});
  const auto same = [&](const LossOutput<double>& got) {
    return got.value == want.value && same_bits(got.d_logits, want.d_logits);
  };
  const std::vector<int64_t> wide(a.targets.begin(), a.targets.end());
  const std::vector<uint8_t> bytes(a.targets.begin(), a.targets.end());
  const std::vector<float> weight(a.weight.begin(), a.weight.end());
  short lengths[3];
  std::vector<bool> mask;
  std::vector<int> numbers;
  for (int64_t n = 0; n < a.b * a.t; ++n) {
    lengths[n / a.t] = static_cast<short>(a.lengths[static_cast<size_t>(n / a.t)]);
    mask.push_back(n % a.t < lengths[n / a.t]);
    numbers.push_back(mask.back() ? 256 : 0);  // not 0, though its lowest byte is
  }
  CHECK(same(loss(a.logits, a.shape(), wide, {.lengths = lengths, .token_weight = weight})));
  CHECK(same(loss(a.logits, a.shape(), bytes, {.mask = mask, .token_weight = a.weight})));
  CHECK(same(loss(a.logits, a.shape(), a.targets, {.mask = numbers, .token_weight = a.weight})));
  CHECK(same(loss(std::span(a.logits), a.shape(), std::span(wide), {.lengths = lengths, .token_weight = weight})));
}

TEST_CASE("distributions, probabilities and an upstream gradient") {
  const double e = std::exp(1), z = 1 + e;
  const std::vector<double> logits = {1, 0, 0, 1}, probs = {e / z, 1 / z, 1 / z, e / z};
  const auto soft = loss(logits, {1, 2, 2}, {}, {.dense = {0.5, 0.5, 0.25, 0.75}});
  CHECK(close(soft.value, (std::log(z) - 0.5 + std::log(z) - 0.75) / 2, 1e-12));
  check_close(soft.d_logits, {(e / z - 0.5) / 2, (1 / z - 0.5) / 2, (1 / z - 0.25) / 2, (e / z - 0.75) / 2}, 1e-12);

  const auto p = loss(probs, {1, 2, 2}, {0, 0}, {.input = "probs", .probs_mode = "strict"});
  CHECK(close(p.value, (std::log(z) - 1 + std::log(z)) / 2, 1e-12));
  check_close(p.d_logits, {-z / e / 2, 0, -z / 2, 0}, 1e-12);

  const auto each = loss(logits, {1, 2, 2}, {0, 0}, {.over = "none", .divide = "one", .upstream = {3.0, 0.0}});
  check_close(each.values, {std::log(z) - 1, std::log(z)}, 1e-12);
  check_close(each.d_logits, {3 * (e / z - 1), 3 / z, 0, 0}, 1e-12);
  const auto scaled = loss(logits, {1, 2, 2}, {0, 0}, {.preset = "sum", .upstream = {0.5}});
  CHECK(close(scaled.value, 2 * std::log(z) - 1, 1e-12));
  check_close(scaled.d_logits, {(e / z - 1) / 2, 0.5 / z, (1 / z - 1) / 2, e / z / 2}, 1e-12);

  const auto none = loss(logits, {1, 2, 2}, {0, 0}, {.preset = "sum", .gradient = false});
  CHECK(none.value == scaled.value);
  CHECK(none.d_logits.empty());
}

TEST_CASE("time-major arrays have the bits of batch-major ones") {
  const Arrays a(6, 3, 4, 5);
  const auto turned = [&](const auto& x, int64_t width) {  // [B,T,width] to [T,B,width]
    auto out = x;
    for (int64_t b = 0; b < a.b; ++b)
      for (int64_t t = 0; t < a.t; ++t)
        std::copy_n(x.begin() + (b * a.t + t) * width, width, out.begin() + (t * a.b + b) * width);
    return out;
  };
  std::vector<double> upstream(a.targets.size()), dense(a.logits.size());
  for (size_t n = 0; n < upstream.size(); ++n) upstream[n] = 1 + static_cast<double>(n);
  for (size_t n = 0; n < dense.size(); ++n) dense[n] = static_cast<double>(n % 3);
  const auto run = [&](LossArguments arguments, bool time, bool distributions) {
    const auto at = [&](const auto& x, int64_t width) { return time ? turned(x, width) : x; };
    arguments.token_weight = at(a.weight, 1);
    arguments.mask = at(std::vector<int>(a.targets.size(), 1), 1);
    if (arguments.over == "none") arguments.upstream = at(upstream, 1);
    if (distributions) arguments.dense = at(dense, a.v), arguments.dense_sum = "normalize";
    if (time) arguments.layout = "time";
    const LossArray<int64_t> ids = distributions ? LossArray<int64_t>{} : LossArray<int64_t>(at(a.targets, 1));
    return loss(at(a.logits, a.v), a.shape(), ids, arguments);
  };
  for (const char* over : {"all", "time", "batch", "none"})
    for (const bool distributions : {false, true}) {
      CAPTURE(over, distributions);
      const LossArguments arguments = {.lengths = a.lengths, .over = over};
      const auto batch = run(arguments, false, distributions), time = run(arguments, true, distributions);
      CHECK(same_bits(time.d_logits, turned(batch.d_logits, a.v)));
      CHECK(same_bits(time.values, arguments.over == "none" ? turned(batch.values, 1) : batch.values));
      const auto tokens = turned(batch.tokens, 1);
      for (size_t n = 0; n < tokens.size(); ++n) CHECK(time.tokens[n].share == tokens[n].share);
    }
}

TEST_CASE("distributions of float have the bits of the same numbers as double, in both layouts") {
  const Arrays a(8, 3, 4, 5);
  const std::vector<float> z(a.logits.begin(), a.logits.end());
  std::vector<float> q;
  for (size_t n = 0; n < z.size(); ++n) q.push_back(0.1f + static_cast<float>(n % 3) / 8);
  const std::vector<double> wide(q.begin(), q.end());
  for (const char* layout : {"batch", "time"})
    for (const char* sum : {"allow", "normalize"}) {
      CAPTURE(layout, sum);
      const auto f32 = loss(z, a.shape(), {}, {.dense = q, .dense_sum = sum, .layout = layout});
      const auto f64 = loss(z, a.shape(), {}, {.dense = wide, .dense_sum = sum, .layout = layout});
      CHECK(same_bits(f32.d_logits, f64.d_logits));
      CHECK(same_bits(f32.values, f64.values));
    }
}

TEST_CASE("threads that call at once have the bits of each alone") {
  constexpr int callers = 4, rounds = 20;
  const auto call = [](int i) {
    const Arrays a(static_cast<uint64_t>(10 + i), 6 + i, 9, 50 + 300 * i);
    const std::vector<float> z(a.logits.begin(), a.logits.end());
    LossArguments arguments = a.arguments();
    if (i % 2) arguments.over = "time";
    return loss(z, a.shape(), a.targets, arguments);
  };
  std::vector<LossOutput<float>> alone;
  for (int i = 0; i < callers; ++i) alone.push_back(call(i));
  std::array<int, callers> wrong{};
  std::vector<std::thread> threads;
  for (int i = 0; i < callers; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < rounds; ++round) {
        const auto r = call(i);
        const Refusal refused = refusal([&] { loss(std::vector<float>{0, 0}, {1, 1, 2}, {i + 2}); });
        wrong[static_cast<size_t>(i)] += !same_bits(r.d_logits, alone[static_cast<size_t>(i)].d_logits) ||
                                         !same_bits(r.values, alone[static_cast<size_t>(i)].values) ||
                                         !refused.message.starts_with("target id " + std::to_string(i + 2));
      }
    });
  for (std::thread& t : threads) t.join();
  CHECK(wrong == std::array<int, callers>{});
}

TEST_CASE("a call leaves the tape of its thread as it was") {
  Tape& tape = Tape::current();
  tape.reset();
  const Tensor x = variable(from_host(std::vector<float>{1, 2}, {1, 1, 2}));
  LossInputs in;
  in.batch = in.steps = 1, in.classes = 2, in.targets = {0};
  const LossResult mine = sequence_loss(x, in, LossOptions{});
  const size_t used = tape.values(Device::cpu).used();
  const auto r = loss(std::vector<float>{1, 2}, {1, 1, 2}, {0});
  refusal([&] { loss(std::vector<float>{1, 2}, {1, 1, 2}, {7}); });
  CHECK(&Tape::current() == &tape);
  CHECK(tape.values(Device::cpu).used() == used);
  CHECK(tape.recorded() == 1);
  tape.backward(mine.value);
  CHECK(same_bits(to_host<float>(grad(x)), r.d_logits));
}

TEST_CASE("what is refused has its number, and the words of the loss") {
  const std::vector<double> z(12, 0.0), nan(12, NaN);
  const std::vector<int> y = {0, 1, 2, 0};
  const LossShape shape{2, 2, 3};
  const auto of = [&](const LossArguments& arguments) { return refusal([&] { loss(z, shape, y, arguments); }); };
  const auto check = [](const Refusal& got, const char* code, const char* words) {
    CHECK(got.code == code);
    CHECK_THAT(got.message, Catch::Matchers::Contains(words));
  };
  check(of({.preset = "torch.men"}), "E14", "preset: expected one of");
  check(of({.over = "tme"}), "E14", "expected one of all, time, batch, none, got 'tme' (did you mean 'time'?)");
  check(of({.preset = "torch.mean", .divide = "one"}), "E14", "contradicts preset 'torch.mean'");
  check(of({.divide = "{const: 0}"}), "E14", "const must be above 0");
  check(of({.preset = "tfa.sequence_loss", .flags = {{"average_across_batc", false}}}), "E14", "average_across_batch");
  check(of({.smoothing = 2}), "E11", "smoothing.epsilon: expected at least 0 and below 1, got '2.0'");
  check(of({.input = "probs", .softcap = 3}), "E17", "softcap");
  check(of({.prior = {0.5, 0.25, 0.25}}), "E17", "prior goes with");
  check(of({.layout = "list"}), "E17", "expected batch or time");
  check(of({.mask = {1, 0}}), "E02", "expected [2,2]");
  check(of({.mask = {1, 0, 1}}), "E01", "mask has 3 entries");
  check(of({.lengths = std::vector<int>{}}), "E01", "lengths has 0 entries");
  check(of({.lengths = {3, 1}}), "E06", "lengths[0]=3 exceeds T=2");
  check(of({.token_weight = {1, 1, -1, 1}}), "E07", "token_weight(b=1,t=0)");
  check(of({.lengths = {0, 0}, .on_zero = "error"}), "E13", "");
  check(of({.upstream = {1, 2}}), "E01", "upstream has 2 entries");
  check(refusal([&] { loss(z, shape, {0, 1, 3, 0}); }), "E04", "target id 3 at (b=1,t=0) is outside [0,3)");
  check(refusal([&] { loss(z, shape, {0, 1}); }), "E01", "targets have 2 entries");
  check(refusal([&] { loss(z, {2, 3, 3}, y); }), "E01", "logits have 12 entries; expected [B=2,T=3,V=3] = 18");
  check(refusal([&] { loss(z, {-2, -2, 3}, y); }), "E01", "a dimension cannot be -2");
  check(refusal([&] { loss(nan, shape, y); }), "E10", "logits(b=0,t=0,v=0) is nan");
  check(refusal([&] { loss(z, shape, {}, {.dense = z}); }), "E09", "sums to 0");
}

TEST_CASE("batches without a token are legal") {
  const auto r = loss(std::vector<float>{}, {0, 5, 3}, {}, {.lengths = std::vector<int>{}});
  CHECK(r.value == 0);
  CHECK(r.d_logits.empty());
  REQUIRE(r.warnings.size() == 1);
  const auto nan = loss(std::vector<float>{1, 2}, {1, 1, 2}, {0}, {.lengths = {0}, .on_zero = "nan"});
  CHECK(std::isnan(nan.value));
  CHECK(nan.d_logits == std::vector<float>{0, 0});
}

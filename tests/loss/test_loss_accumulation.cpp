// P10 and the mergeable pair: one divisor over micro-batches, counted before any forward pass.
#include "engine/loss/presets.h"
#include "tests/support/loss_fixture.h"
#include "tests/support/loss_random.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

// Examples [begin, end) as a batch of its own.
RandomCase part_of(const RandomCase& c, int64_t begin, int64_t end) {
  RandomCase p = c;
  const auto cut = [&](auto& values, int64_t size) {
    values = std::remove_reference_t<decltype(values)>(values.begin() + begin * size, values.begin() + end * size);
  };
  p.each_by_cell([&](auto& values, int64_t size) { cut(values, c.in.steps * size); });
  p.each_by_example([&](auto& values) { cut(values, 1); });
  p.in.batch = end - begin;
  return p;
}

struct Total {
  double value = 0, divisor = 0;
  std::vector<double> dx, dweight;
  LossSum sum;
};

std::vector<double> numbers(const Tensor& t) {
  return dispatch(t.dtype, [&]<class T> {
    const auto v = to_host<T>(t);
    return std::vector<double>(v.begin(), v.end());
  });
}

// Forward and backward over parts that share a divisor, gradients added up.
Total accumulate(const std::vector<RandomCase>& parts, bool hidden) {
  std::vector<LiveRows> rows;
  LossSum counted;
  for (const RandomCase& p : parts) {
    rows.push_back(build_live_rows(p.in, p.options));
    counted += count(rows.back(), p.options);
  }
  share_counts(rows, parts[0].options);
  Total out;
  out.divisor = counted.divisor;
  for (size_t i = 0; i < parts.size(); ++i) {
    const RandomCase& p = parts[i];
    Tape& tape = Tape::current();
    tape.reset();
    const Shape shape{p.in.batch, p.in.steps, hidden ? p.width : p.in.classes};
    const Tensor x = variable(tensor_of(hidden ? p.hidden : p.x, shape, p.dtype));
    const Tensor w = variable(tensor_of(p.weight, {p.in.classes, p.width}, p.dtype));
    const LossResult r = hidden ? linear_sequence_loss(x, w, {}, p.in, rows[i], p.options, counted.divisor)
                                : sequence_loss(x, p.in, rows[i], p.options, counted.divisor);
    tape.backward(r.value);
    out.value += r.values[0];
    out.sum += r.sum;
    const auto dx = numbers(grad(x));
    out.dx.insert(out.dx.end(), dx.begin(), dx.end());
    const auto dw = numbers(grad(w));
    out.dweight.resize(dw.size());
    for (size_t k = 0; hidden && k < dw.size(); ++k) out.dweight[k] += dw[k];
  }
  return out;
}

double largest(const std::vector<double>& values) {
  double out = 0;
  for (const double x : values) out = std::max(out, std::abs(x));
  return out;
}

}  // namespace

TEST_CASE("P10: micro-batches under one divisor give the value and the gradients of the whole batch") {
  for (uint64_t seed = 0; seed < promise_cases; ++seed) {
    CAPTURE(seed);
    RandomCase c(seed, dtype_of_seed(seed));
    c.options.on_zero = OnZero::zero;
    if (c.options.over != Over::all && c.options.then == Then::nothing) c.options.then = Then::sum;
    if (c.options.divide.flat == "active_minus_batch") c.options.divide.flat = "active";  // its floor at 0 does not add
    c.poison(seed);
    Random r(seed, 6);
    std::vector<RandomCase> parts;
    for (int64_t begin = 0; begin < c.in.batch;) {
      const int64_t end = std::min(c.in.batch, begin + 1 + static_cast<int64_t>(r.below(3)));
      parts.push_back(part_of(c, begin, end));
      begin = end;
    }
    for (const bool hidden : {false, true}) {
      if (hidden && c.options.input == Input::probs) continue;
      CAPTURE(hidden, parts.size(), str(c.options.divide), static_cast<int>(c.options.over),
              static_cast<int>(c.options.then));
      const Total whole = accumulate({c}, hidden), split = accumulate(parts, hidden);
      const bool single = c.dtype == DType::f32;
      const double ulp = std::abs(whole.value) * 0x1p-23;
      REQUIRE(std::abs(split.divisor - whole.divisor) <= 1e-13 * std::abs(whole.divisor));
      REQUIRE(std::abs(split.value - whole.value) <= ulp);
      REQUIRE(std::abs(split.sum.value(c.options) - whole.value) <= ulp);
      REQUIRE(split.sum.stats.active == whole.sum.stats.active);
      REQUIRE(split.sum.stats.live == whole.sum.stats.live);
      for (size_t i = 0; i < whole.dx.size(); ++i)
        REQUIRE(std::abs(split.dx[i] - whole.dx[i]) <= (single ? 1e-6 : 1e-13) * largest(whole.dx));
      for (size_t i = 0; i < whole.dweight.size(); ++i)
        REQUIRE(std::abs(split.dweight[i] - whole.dweight[i]) <= (single ? 1e-5 : 1e-13) * largest(whole.dweight));
    }
  }
}

TEST_CASE("the fixture in two micro-batches: 1.5 and 4.0 alone, 2.75 as a mean of means, 2.5 under one divisor") {
  Fixture f(true);
  const LossOptions o;
  const auto part = [&](int64_t begin, int64_t end) {
    LossInputs in = f.in;
    in.batch = end - begin;
    in.targets = {f.in.targets.begin() + begin * 6, f.in.targets.begin() + end * 6};
    in.lengths = std::vector<int64_t>(f.in.lengths->begin() + begin, f.in.lengths->begin() + end);
    in.token_weight = std::vector<double>(f.in.token_weight->begin() + begin * 6, f.in.token_weight->begin() + end * 6);
    return in;
  };
  const auto value = [&](int64_t begin, int64_t end, std::optional<double> divisor = {}) {
    Tape::current().reset();
    const LossInputs in = part(begin, end);
    const LiveRows rows = build_live_rows(in, o);
    const std::vector<double> z(f.logits.begin() + begin * 12, f.logits.begin() + end * 12);
    return sequence_loss(variable(from_host(z, {end - begin, 6, 2})), in, rows, o, divisor.value_or(rows.divisor));
  };
  CHECK(close(value(0, 1).values[0], 1.5, 1e-12));
  CHECK(close(value(1, 3).values[0], 4.0, 1e-12));
  CHECK(close((value(0, 1).values[0] + value(1, 3).values[0]) / 2, 2.75, 1e-12));
  LossSum sum = value(0, 1, 5).sum;
  sum += value(1, 3, 5).sum;
  CHECK(sum.divisor == 5);
  CHECK(close(sum.value(o), 2.5, 1e-12));
  CHECK(close(value(0, 1, 5).values[0] + value(1, 3, 5).values[0], 2.5, 1e-12));
}

TEST_CASE("statistics of the fixture, and after merging its micro-batches") {
  Fixture f(true);
  LossOptions o;
  o.smoothing = 0.1;
  o.z_loss = 0.01;
  const LossResult r = f.run(o);
  const LossStats& s = r.sum.stats;
  CHECK(s.active == 5);
  CHECK(s.live == 4);
  CHECK(s.weight == 4.5);
  CHECK(r.sum.divisor == 5);
  CHECK(close(s.nll_sum, 10, 1e-12));  // 1 + 2 + 3 + 4: the row of weight 0 is not live
  CHECK(close(r.sum.perplexity(), std::exp(2.5), 1e-12));
  // z = [0, ln(e^ℓ − 1)], so log-sum-exp is ℓ itself.
  CHECK(close(s.z_sum, 0.01 * (1 + 4 + .5 * 9 + 2 * 16), 1e-12));
  double smoothed = 0;  // .95 of the target's and .05 of the other class's negative log probability
  for (const double l : {1., 2., 3., 4.}) smoothed += .95 * l + .05 * (l - std::log(std::expm1(l)));
  CHECK(close(s.smoothed_sum, smoothed, 1e-12));
  CHECK(s.correct == 0);  // ℓ above ln 2: the other class leads
  CHECK(s.empty == 0);
  CHECK(s.clip_hits == 0);
  LossSum twice = r.sum;
  twice += r.sum;
  CHECK(twice.stats.active == 10);
  CHECK(twice.stats.nll_sum == 2 * s.nll_sum);
  CHECK(twice.divisor == 10);
  CHECK(twice.value(o) == r.sum.value(o));
  f.in.lengths = {0, 0, 0};
  twice += f.run(o).sum;
  twice += f.run(o).sum;
  CHECK(twice.stats.empty == 2);
  CHECK(twice.stats.active == 10);
  CHECK(twice.value(o) == r.sum.value(o));
}

TEST_CASE("the first of equal maxima is the prediction") {
  Numbers n(1, 3, 3, {1, 1, 0, 1, 1, 0, 0, 2, 2}, {0, 1, 1});
  CHECK(n.run().result.correct == std::vector<uint8_t>{1, 0, 1});
  CHECK(n.run().result.sum.stats.correct == 2);
  n.options.input = Input::probs;
  n.x = {.4, .4, .2, .4, .4, .2, .2, .4, .4};
  CHECK(n.run().result.correct == std::vector<uint8_t>{1, 0, 1});
}

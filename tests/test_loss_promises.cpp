// The promises to the bit, each over random batches whose dead cells hold poison.
#include "engine/core/thread_pool.h"
#include "tests/loss_fixture.h"
#include "tests/loss_random.h"

using namespace seqgrad;
using namespace seqgrad::testing;

TEST_CASE("P1: poison in dead cells changes no bit") {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    REQUIRE(everything(RandomCase(seed, false)) == everything(RandomCase(seed, true)));
  }
}

TEST_CASE("P2: more padding changes no bit of the loss and the live gradients") {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    RandomCase c(seed, true);
    if (c.options.divide.flat == "batch") c.options.divide.flat = "active";
    const Bits before = everything(c);
    RandomCase wide = c;
    const int64_t extra = 1 + static_cast<int64_t>(seed % 5);
    wide.in.steps += extra;
    wide.in.batch += 1;
    wide.in.lengths->push_back(0);
    const auto widen = [&](auto& v, int64_t width, auto filler) {
      std::remove_reference_t<decltype(v)> out;
      for (int64_t b = 0; b < wide.in.batch; ++b)
        for (int64_t t = 0; t < wide.in.steps; ++t)
          for (int64_t i = 0; i < width; ++i)
            out.push_back(b < c.in.batch && t < c.in.steps
                              ? v[static_cast<size_t>((b * c.in.steps + t) * width + i)]
                              : static_cast<typename std::remove_reference_t<decltype(v)>::value_type>(filler));
      v = out;
    };
    widen(wide.in.targets, 1, -5);
    widen(*wide.in.mask, 1, 1);
    widen(*wide.in.token_weight, 1, NaN);
    widen(wide.logits, c.in.classes, NaN);
    widen(wide.hidden, c.width, NaN);
    const Bits after = everything(wide);
    REQUIRE(before[0] == after[0]);
    REQUIRE(before[2] == after[2]);
    REQUIRE(before[4] == after[4]);
    REQUIRE(before[5] == after[5]);
    for (int64_t b = 0; b < wide.in.batch; ++b)
      for (int64_t t = 0; t < wide.in.steps; ++t)
        for (const auto& [k, width] : {std::pair<size_t, int64_t>{1, c.in.classes}, {3, c.width}})
          for (int64_t i = 0; i < width; ++i) {
            const uint32_t got = after[k][static_cast<size_t>((b * wide.in.steps + t) * width + i)];
            REQUIRE(got == (b < c.in.batch && t < c.in.steps
                                ? before[k][static_cast<size_t>((b * c.in.steps + t) * width + i)]
                                : 0u));
          }
  }
}

TEST_CASE("P3, P4: layout and the order of examples change no bit of value and row gradients") {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    const RandomCase c(seed, true);
    const Bits before = everything(c);
    const auto rows_of = [](const RandomCase& x) { return build_live_rows(x.in, x.options); };
    // time-major
    Tape::current().reset();
    std::vector<float> time_major;
    for (int64_t t = 0; t < c.in.steps; ++t)
      for (int64_t b = 0; b < c.in.batch; ++b)
        for (int64_t v = 0; v < c.in.classes; ++v)
          time_major.push_back(c.logits[static_cast<size_t>((b * c.in.steps + t) * c.in.classes + v)]);
    const Tensor z = variable(from_host(time_major, {c.in.steps, c.in.batch, c.in.classes}));
    const LossResult r = sequence_loss(z, c.in, rows_of(c), c.options, Layout::time);
    Tape::current().backward(r.value);
    REQUIRE(bits(r.value) == before[0]);
    const auto g = bits(grad(z));
    for (int64_t b = 0; b < c.in.batch; ++b)
      for (int64_t t = 0; t < c.in.steps; ++t)
        for (int64_t v = 0; v < c.in.classes; ++v)
          REQUIRE(g[static_cast<size_t>((t * c.in.batch + b) * c.in.classes + v)] ==
                  before[1][static_cast<size_t>((b * c.in.steps + t) * c.in.classes + v)]);
    // reversed examples
    RandomCase back = c;
    const auto reverse = [&](auto& v, int64_t width) {
      auto out = v;
      for (int64_t b = 0; b < c.in.batch; ++b)
        std::copy_n(v.begin() + (c.in.batch - 1 - b) * width, width, out.begin() + b * width);
      v = out;
    };
    reverse(back.in.targets, c.in.steps);
    reverse(*back.in.lengths, 1);
    reverse(*back.in.mask, c.in.steps);
    reverse(*back.in.token_weight, c.in.steps);
    reverse(back.logits, c.in.steps * c.in.classes);
    reverse(back.hidden, c.in.steps * c.width);
    Bits after = everything(back);
    REQUIRE(after[0] == before[0]);
    REQUIRE(after[2] == before[2]);
    reverse(after[1], c.in.steps * c.in.classes);
    reverse(after[3], c.in.steps * c.width);
    REQUIRE(after[1] == before[1]);
    REQUIRE(after[3] == before[3]);
  }
}

TEST_CASE("P5: any number of threads gives the same bits") {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    const RandomCase c(seed, true);
    const Bits one = everything(c);
    for (const int n : {2, 3, 7}) {
      set_threads(n);
      REQUIRE(everything(c) == one);
    }
    set_threads(1);
  }
}

TEST_CASE("P6: lengths, mask, ignore_index and 0/1 weights are the same bits") {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    RandomCase c(seed, false);
    c.in.mask.reset();
    c.in.token_weight.reset();
    if (c.options.divide.flat == "batch") c.options.divide.flat = "one";
    const Bits lengths = everything(c);
    RandomCase mask = c, ignore = c, weight = c;
    mask.in.lengths.reset();
    ignore.in.lengths.reset();
    weight.in.lengths.reset();
    mask.in.mask.emplace();
    weight.in.token_weight.emplace();
    ignore.options.ignore_index = -100;
    for (int64_t b = 0; b < c.in.batch; ++b)
      for (int64_t t = 0; t < c.in.steps; ++t) {
        const bool on = t < (*c.in.lengths)[static_cast<size_t>(b)];
        mask.in.mask->push_back(on);
        weight.in.token_weight->push_back(on);
        if (!on) ignore.in.targets[static_cast<size_t>(b * c.in.steps + t)] = -100;
      }
    REQUIRE(everything(mask) == lengths);
    REQUIRE(everything(ignore) == lengths);
    if (c.options.divide.flat == "one" || c.options.divide.flat == "nonzero" || c.options.divide.flat == "weight")
      REQUIRE(everything(weight) == lengths);
  }
}

TEST_CASE("P8, P11: row constants and powers of two") {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    RandomCase c(seed, false);
    c.options.softcap.reset();
    c.options.z_loss = 0;
    for (float& z : c.logits) z = std::round(z * 64) / 64;  // exact after adding 1e4 in float32 (ulp 2^-10)
    const Bits before = everything(c);
    RandomCase shifted = c;
    for (float& z : shifted.logits) z += 10000.0f;
    const Bits after = everything(shifted);
    REQUIRE(after[0] == before[0]);
    REQUIRE(after[1] == before[1]);
    if (c.options.divide.flat == "weight") {
      RandomCase scaled = c;
      for (double& w : *scaled.in.token_weight) w *= 1024;
      const Bits again = everything(scaled);
      REQUIRE(again[0] == before[0]);
    }
  }
}

TEST_CASE("P9: -inf at a class without mass is legal, with mass it is an error") {
  Tape::current().reset();
  LossInputs in;
  in.batch = in.steps = 1;
  in.classes = 3;
  in.targets = {0};
  LossOptions o;
  const Tensor z = variable(from_host(std::vector<double>{0, -INFINITY, 0}, {1, 1, 3}));
  const LossResult r = sequence_loss(z, in, build_live_rows(in, o), o);
  Tape::current().backward(r.value);
  CHECK(close(r.values[0], std::log(2), 1e-15));
  CHECK(to_host<double>(grad(z))[1] == 0);
  o.smoothing = 0.1;
  CHECK(message_of([&] { sequence_loss(z, in, build_live_rows(in, o), o); }) ==
        "the loss at (b=0,t=0) is infinite: a class with target mass has logit -inf");
}

TEST_CASE("P10: one divisor over micro-batches gives the gradient of the whole batch") {
  Fixture f(false);
  LossOptions o;
  const auto part = [&](int64_t begin, int64_t end) {
    LossInputs in = f.in;
    in.batch = end - begin;
    in.targets.assign(f.in.targets.begin() + begin * 6, f.in.targets.begin() + end * 6);
    in.lengths = std::vector<int64_t>(f.in.lengths->begin() + begin, f.in.lengths->begin() + end);
    return in;
  };
  f.in.token_weight = Fixture(true).in.token_weight;
  const auto value = [&](int64_t begin, int64_t end, double divisor) {
    LossInputs in = part(begin, end);
    in.token_weight = std::vector<double>(f.in.token_weight->begin() + begin * 6, f.in.token_weight->begin() + end * 6);
    Tape::current().reset();
    const std::vector<double> z(f.logits.begin() + begin * 12, f.logits.begin() + end * 12);
    const LiveRows rows = build_live_rows(in, o);
    return sequence_loss(variable(from_host(z, {end - begin, 6, 2})), in, rows, o,
                         divisor < 0 ? rows.divisor : divisor);
  };
  CHECK(close(value(0, 1, -1).values[0], 1.5, 1e-12));
  CHECK(close(value(1, 3, -1).values[0], 4.0, 1e-12));
  LossSum sum = value(0, 1, 5).sum;
  sum += value(1, 3, 5).sum;
  CHECK(sum.divisor == 5);
  CHECK(close(sum.value(o), 2.5, 1e-12));
  CHECK(close(value(0, 1, 5).values[0] + value(1, 3, 5).values[0], 2.5, 1e-12));
}

TEST_CASE("float32 keeps its contract against float64, to a nearly certain target") {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    RandomCase c(seed, true);
    if (seed % 4 == 0 && !c.options.softcap)  // a confident model: p_y → 1
      for (size_t n = 0; n < c.in.targets.size(); ++n)
        if (c.in.targets[n] < c.in.classes)
          c.logits[n * static_cast<size_t>(c.in.classes) + static_cast<size_t>(c.in.targets[n])] = 30;
    const LiveRows rows = build_live_rows(c.in, c.options);
    const Coefficients coefficient = coefficients(rows, c.options, rows.divisor);
    Tape::current().reset();
    const Shape shape{c.in.batch, c.in.steps, c.in.classes};
    const Tensor a = variable(from_host(c.logits, shape)),
                 b = variable(from_host(std::vector<double>(c.logits.begin(), c.logits.end()), shape));
    const LossResult ra = sequence_loss(a, c.in, rows, c.options), rb = sequence_loss(b, c.in, rows, c.options);
    Tape::current().backward(ra.value);
    Tape::current().backward(rb.value);
    const auto ga = to_host<float>(grad(a));
    const auto gb = to_host<double>(grad(b));
    for (size_t i = 0; i < rows.rows.size(); ++i) {
      REQUIRE(std::abs(ra.row_loss[i] - rb.row_loss[i]) <= 1e-6 + 1e-6 * std::abs(rb.row_loss[i]));
      const auto at = static_cast<size_t>(rows.rows[i].row * c.in.classes);
      for (size_t v = 0; v < static_cast<size_t>(c.in.classes); ++v) {
        CAPTURE(i, v, ga[at + v], gb[at + v]);
        REQUIRE(std::abs(static_cast<double>(ga[at + v]) - gb[at + v]) <= 1.5e-6 * coefficient.rows[i]);
      }
      const auto y = at + static_cast<size_t>(rows.rows[i].target);
      if (c.options.smoothing == 0 && !c.options.softcap && c.options.z_loss == 0)
        REQUIRE(std::abs(static_cast<double>(ga[y]) - gb[y]) <= 1e-5 * std::abs(gb[y]));
    }
  }
}

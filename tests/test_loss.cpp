// The loss layer: every preset on the fixture that separates them, promises to the bit, gradients, errors.
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "engine/check/gradcheck.h"
#include "engine/core/random.h"
#include "engine/core/thread_pool.h"
#include "engine/loss/config.h"
#include "engine/loss/sequence_loss.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/reduce.h"
#include "tests/catch.h"

using namespace seqgrad;

namespace {

constexpr double NaN = std::numeric_limits<double>::quiet_NaN();

LossOptions options_of(const Preset& p) {
  LossOptions o;
  o.over = p.over;
  o.divide = p.divide;
  o.divide_eps = p.divide_eps;
  o.on_zero = p.on_zero;
  o.scope = p.scope;
  return o;
}

// The fixture: B=3, T=6, lengths [3,2,0], row losses [[1,2,3],[4,5],[]], poison everywhere else.
struct Fixture {
  LossInputs in;
  std::vector<double> logits;

  explicit Fixture(bool weighted, bool mask_as_weights = false) {
    in.batch = 3, in.steps = 6, in.classes = 2;
    in.targets.assign(18, 7);
    logits.assign(36, NaN);
    std::vector<double> w(18, 7.0);
    const std::map<int, double> losses = {{0, 1}, {1, 2}, {2, 3}, {6, 4}, {7, 5}};
    const std::map<int, double> weights = {{0, 1}, {1, 1}, {2, .5}, {6, 2}, {7, 0}};
    for (const auto& [n, loss] : losses) {
      const auto i = static_cast<size_t>(n);
      in.targets[i] = 0;
      logits[2 * i] = 0;
      logits[2 * i + 1] = std::log(std::expm1(loss));
      w[i] = weighted ? weights.at(n) : 1.0;
    }
    if (mask_as_weights) {
      for (size_t i = 0; i < 18; ++i)
        if (!losses.count(static_cast<int>(i))) w[i] = 0;
    } else {
      in.lengths = {3, 2, 0};
    }
    if (weighted || mask_as_weights) in.token_weight = w;
  }

  LossResult run(const LossOptions& o) {
    Tape::current().reset();
    return sequence_loss(variable(from_host(logits, {3, 6, 2})), in, build_live_rows(in, o), o);
  }
};

struct Expected {
  const char* name;
  int flags;
  bool weighted;
  std::vector<double> value;
  bool mask_as_weights = false;
};

constexpr int aT = average_across_timesteps, aB = average_across_batch, sT = sum_over_timesteps, sB = sum_over_batch;

// Values of the specification's table; one line for each row of the presets' table.
const std::vector<Expected> expected = {
    {"token_mean", -1, true, {2.5}},
    {"token_mean", -1, false, {3.0}},
    {"sum", -1, true, {12.5}},
    {"sum", -1, false, {15}},
    {"batch_mean", -1, true, {4.166666667}},
    {"batch_mean", -1, false, {5.0}},
    {"sentence_mean", -1, true, {2.75}},
    {"sentence_mean", -1, false, {3.25}},
    {"tf1.sequence_loss_by_example", aT, true, {1.8, 4, 0}},
    {"tf1.sequence_loss_by_example", 0, true, {4.5, 8, 0}},
    {"tf1.legacy_sequence_loss", aT | aB, true, {1.933333333}},
    {"tf1.legacy_sequence_loss", aT, true, {5.8}},
    {"tf1.legacy_sequence_loss", aB, true, {4.166666667}},
    {"tf1.legacy_sequence_loss", 0, true, {12.5}},
    {"tf1.contrib_sequence_loss", aT | aB, true, {2.777777778}},
    {"tf1.contrib_sequence_loss", aT, true, {1.8, 4, 0}},
    {"tf1.contrib_sequence_loss", aB, true, {3, 2, 3, 0, 0, 0}},
    {"tf1.contrib_sequence_loss", 0, true, {1, 2, 1.5, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    {"tfa.sequence_loss", aT | aB, true, {2.777777778}},
    {"tfa.sequence_loss", aT, true, {1.8, 4, 0}},
    {"tfa.sequence_loss", aB, true, {3, 2, 3, 0, 0, 0}},
    {"tfa.sequence_loss", sT, true, {1.5, 8, 0}},
    {"tfa.sequence_loss", sB, true, {4.5, 2, 1.5, 0, 0, 0}},
    {"tfa.sequence_loss", sT | sB, true, {3.125}},
    {"tfa.sequence_loss", 0, true, {1, 2, 1.5, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    {"tf1.losses.sum_by_nonzero_weights", -1, true, {3.125}},
    {"tf1.losses.mean", -1, true, {2.777777778}},
    {"tf1.losses.sum_over_batch_size", -1, true, {0.694444444}},
    {"tf1.losses.sum", -1, true, {12.5}},
    {"tf2.boolean_mask_mean", -1, false, {3.0}},
    {"tf2.categorical_probs_mask", -1, false, {3.0}},
    {"tf2.sequence_mask_by_length", -1, false, {3.0}},
    {"tf_tutorial.mask_then_reduce_mean", -1, false, {0.833333333}, true},
    {"keras.sum_over_batch_size", -1, true, {2.5}},
    {"keras.sum_over_batch_size", -1, true, {0.694444444}, true},
    {"keras.mean_with_sample_weight", -1, true, {2.777777778}},
    {"torch.mean", -1, false, {3.0}},
    {"hf.causal_lm", -1, false, {3.0}},
    {"fairseq.tokens", -1, false, {3.0}},
    {"fairseq.sentence_avg", -1, false, {5.0}},
    {"marian.ce-sum", -1, true, {12.5}},
    {"opennmt.sents", -1, false, {5.0}},
    {"opennmt.tokens", -1, false, {7.5}},
    {"joeynmt.batch", -1, false, {5.0}},
    {"joeynmt.tokens", -1, false, {3.0}},
    {"joeynmt.none", -1, false, {15}},
    {"sockeye", -1, false, {3.0}},
    {"cce.mean", -1, false, {3.0}},
    {"liger.mean", -1, false, {3.0}},
    {"mlx.mean", -1, true, {0.694444444}, true},
};

bool close(double a, double b, double tolerance) {
  return std::abs(a - b) <= tolerance * std::max(1.0, std::abs(b)) || (std::isnan(a) && std::isnan(b));
}

// A random batch with poison in every dead cell.
struct RandomCase {
  LossInputs in;
  LossOptions options;
  std::vector<float> logits, hidden, weight, bias;
  int64_t width = 5;

  RandomCase(uint64_t seed, bool poison) {
    Random r(seed, 0), p(seed, 1);
    in.batch = 1 + static_cast<int64_t>(r.below(5));
    in.steps = 1 + static_cast<int64_t>(r.below(7));
    in.classes = 2 + static_cast<int64_t>(r.below(150));
    const auto cells = static_cast<size_t>(in.batch * in.steps);
    in.lengths.emplace();
    for (int64_t b = 0; b < in.batch; ++b)
      in.lengths->push_back(static_cast<int64_t>(r.below(static_cast<uint64_t>(in.steps) + 1)));
    in.mask.emplace();
    in.token_weight.emplace();
    for (size_t n = 0; n < cells; ++n) {
      in.targets.push_back(static_cast<int64_t>(r.below(static_cast<uint64_t>(in.classes))));
      in.mask->push_back(r.below(5) > 0);
      in.token_weight->push_back(r.below(6) == 0 ? 0.0 : r.uniform() + 0.1);
    }
    static const char* names[] = {"active", "one", "batch", "nonzero", "weight"};
    options.divide.flat = names[r.below(5)];
    if (r.below(4) == 0) options.divide = {"", "active", "active_batch", 0};
    if (r.below(3) == 0) options.smoothing = 0.1;
    if (r.below(4) == 0) options.smoothing_kind = SmoothingKind::others;
    if (r.below(4) == 0) options.softcap = 3.0;
    if (r.below(4) == 0) options.z_loss = 0.01;
    for (size_t i = 0; i < cells * static_cast<size_t>(in.classes); ++i)
      logits.push_back(static_cast<float>(r.normal() * 2));
    for (size_t i = 0; i < cells * static_cast<size_t>(width); ++i) hidden.push_back(static_cast<float>(r.normal()));
    for (int64_t i = 0; i < in.classes * width; ++i) weight.push_back(static_cast<float>(r.normal()));
    for (int64_t i = 0; i < in.classes; ++i) bias.push_back(static_cast<float>(r.normal()));
    if (!poison) return;
    for (int64_t b = 0; b < in.batch; ++b)
      for (int64_t t = 0; t < in.steps; ++t) {
        const auto n = static_cast<size_t>(b * in.steps + t);
        const bool active = t < (*in.lengths)[static_cast<size_t>(b)] && (*in.mask)[n];
        if (active && (*in.token_weight)[n] != 0) continue;
        static const float bad[] = {std::numeric_limits<float>::quiet_NaN(), INFINITY, -INFINITY, 1e38f};
        in.targets[n] = 1000000000;
        if (!active) (*in.token_weight)[n] = NaN;
        for (int64_t v = 0; v < in.classes; ++v)
          logits[n * static_cast<size_t>(in.classes) + static_cast<size_t>(v)] = bad[p.below(4)];
        for (int64_t d = 0; d < width; ++d)
          hidden[n * static_cast<size_t>(width) + static_cast<size_t>(d)] = bad[p.below(4)];
      }
  }
};

using Bits = std::vector<std::vector<uint32_t>>;

std::vector<uint32_t> bits(const Tensor& t) {
  const auto v = to_host<float>(t);
  std::vector<uint32_t> b(v.size());
  std::memcpy(b.data(), v.data(), v.size() * 4);
  return b;
}

// Value and gradients of both forms, as bits.
Bits everything(const RandomCase& c) {
  Tape& tape = Tape::current();
  tape.reset();
  const LiveRows rows = build_live_rows(c.in, c.options);
  const Tensor z = variable(from_host(c.logits, {c.in.batch, c.in.steps, c.in.classes}));
  const LossResult a = sequence_loss(z, c.in, rows, c.options);
  tape.backward(a.value);
  Bits out{bits(a.value), bits(grad(z))};
  const Tensor h = variable(from_host(c.hidden, {c.in.batch, c.in.steps, c.width})),
               w = variable(from_host(c.weight, {c.in.classes, c.width})),
               bias = variable(from_host(c.bias, {c.in.classes}));
  const LossResult f = linear_sequence_loss(h, w, bias, c.in, rows, c.options, rows.divisor);
  tape.backward(f.value);
  for (const Tensor& t : {f.value}) out.push_back(bits(t));
  for (const Tensor& t : {h, w, bias}) out.push_back(bits(grad(t)));
  return out;
}

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("every preset reproduces its value on the poisoned fixture, in every set of flags") {
  for (const Preset& p : presets()) {
    CAPTURE(p.name, p.flags);
    bool found = false;
    for (const Expected& e : expected) {
      if (e.name != std::string(p.name) || e.flags != p.flags) continue;
      found = true;
      Fixture fixture(e.weighted, e.mask_as_weights);
      const LossResult r = fixture.run(options_of(p));
      CAPTURE(e.weighted, r.values, e.value);
      REQUIRE(r.values.size() == e.value.size());
      for (size_t i = 0; i < e.value.size(); ++i) REQUIRE(close(r.values[i], e.value[i], 1e-9));
      if (e.value.size() == 1) REQUIRE(close(r.sum.value(options_of(p)), e.value[0], 1e-9));
    }
    REQUIRE(found);  // a new row of the table needs an expected value here
  }
}

TEST_CASE("the sets of flags that TF Addons refuses are refused") {
  int accepted = 0;
  for (int flags = 0; flags < 16; ++flags)
    accepted += message_of([&] { preset("tfa.sequence_loss", flags); }) == "no error";
  CHECK(accepted == 7);
  CHECK(message_of([] { preset("tfa.sequence_loss", sT | aB); }) ==
        "loss: sum_over_timesteps with average_across_batch has no defined order");
  CHECK(message_of([] { preset("token_men"); }).find("unknown preset 'token_men'; expected one of token_mean, sum") !=
        std::string::npos);
}

TEST_CASE("gradients of the fixture are those of the closed form") {
  Fixture f(true);
  LossOptions o;
  o.divide.flat = "weight";
  Tape::current().reset();
  const Tensor z = variable(from_host(f.logits, {3, 6, 2}));
  Tape::current().backward(sequence_loss(z, f.in, build_live_rows(f.in, o), o).value);
  const auto g = to_host<double>(grad(z));
  const std::map<size_t, double> want = {{0, -.140471235}, {1, -.192147715}, {2, -.105579215}, {6, -.436304160}};
  for (size_t n = 0; n < 18; ++n) {
    CAPTURE(n);
    CHECK(close(g[2 * n], want.count(n) ? want.at(n) : 0, 1e-8));
    CHECK(close(g[2 * n + 1], want.count(n) ? -want.at(n) : 0, 1e-8));
    if (!want.count(n)) CHECK((!std::signbit(g[2 * n]) && !std::signbit(g[2 * n + 1])));
  }
}

TEST_CASE("published values of the peers' own tests") {
  struct Golden {
    const char* id;
    std::vector<double> logits;
    std::vector<int64_t> y;
    std::function<void(LossOptions&, LossInputs&)> set;
    double value;
    std::vector<double> gradient;  // of the last row, or all
  };
  const std::vector<Golden> cases = {
      {"G01 sockeye",
       {1, 1, 1, 1, 4, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1},
       {1, 0, 2, 3},
       [](LossOptions& o, LossInputs&) { o.ignore_index = 0; },
       1.386294361,
       {1 / 12., -.25, 1 / 12., 1 / 12., 0, 0, 0, 0, 1 / 12., 1 / 12., -.25, 1 / 12., 1 / 12., 1 / 12., 1 / 12., -.25}},
      {"G02 tf1",
       {1, 2, 3, 4},
       {0},
       [](LossOptions&, LossInputs&) {},
       3.440189699,
       {-.967941397, .087144319, .236882818, .643914260}},
      {"G17 keras", {100, -100, -100}, {0}, [](LossOptions& o, LossInputs&) { o.smoothing = .1; }, 13.333333333, {}},
      {"G31 marian",
       {-.1, -1.2, -.4},
       {0},
       [](LossOptions& o, LossInputs&) { o.smoothing = .1; },
       .775995960,
       {-.451101015, .127187861, .323913154}},
      {"G31 marian, third",
       {-2.2, 1, -1.2},
       {2},
       [](LossOptions& o, LossInputs&) { o.smoothing = .1; },
       2.301122201,
       {.002063879, .835049854, -.837113733}},
      {"softcap",
       {1, 2, 3},
       {0},
       [](LossOptions& o, LossInputs&) { o.softcap = 2; },
       1.657422665,
       {-.636527466, .145725534, .083555783}},
      {"z-loss",
       {1, 2, 3},
       {0},
       [](LossOptions& o, LossInputs&) { o.z_loss = .01; },
       2.523723749,
       {-.903833652, .261407235, .710578537}},
      {"class scope",
       {1, 2, 3},
       {2},
       [](LossOptions& o, LossInputs& in) {
         o.smoothing = .1;
         in.class_weight = {.3, .6, 2};
       },
       .813092646,
       {.160757987, .444168333, -.604926321}},
      {"target scope",
       {1, 2, 3},
       {2},
       [](LossOptions& o, LossInputs& in) {
         o.smoothing = .1;
         o.class_scope = ClassScope::target;
         in.class_weight = {.3, .6, 2};
       },
       1.015211929,
       {.113394480, .422790275, -.536184755}},
      {"G37 pytorch",
       {-100, 100, -100, 100},
       {0, 1},
       [](LossOptions& o, LossInputs& in) {
         o.divide.flat = "class_weight";
         in.class_weight = {20, 10};
       },
       133.333333333,
       {}},
      {"G28 joeynmt",
       {std::log(.1), std::log(.1), std::log(.6), std::log(.1), std::log(.1)},
       {2},
       [](LossOptions& o, LossInputs&) {
         o.smoothing = .4;
         o.smoothing_kind = SmoothingKind::others_excluding;
         o.smoothing_excluding = {0};
       },
       -.6 * std::log(.6) - .4 * std::log(.1),
       {}},
  };
  for (const Golden& c : cases) {
    CAPTURE(c.id);
    Tape::current().reset();
    LossInputs in;
    in.batch = 1;
    in.steps = static_cast<int64_t>(c.y.size());
    in.classes = static_cast<int64_t>(c.logits.size() / c.y.size());
    in.targets = c.y;
    LossOptions o;
    c.set(o, in);
    const Tensor z = variable(from_host(c.logits, {1, in.steps, in.classes}));
    const LossResult r = sequence_loss(z, in, build_live_rows(in, o), o);
    CHECK(close(r.values[0], c.value, 1e-9));
    Tape::current().backward(r.value);
    const auto g = to_host<double>(grad(z));
    for (size_t i = 0; i < c.gradient.size(); ++i) {
      CAPTURE(i, g[i], c.gradient[i]);
      CHECK(close(g[i], c.gradient[i], 2e-9));
    }
  }
}

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

TEST_CASE("gradients agree with central differences over divisors, smoothing, caps and z-loss, in both forms") {
  uint64_t seed = 0;
  for (const Divisor& d : divisors())
    for (const double epsilon : {0.0, 0.1})
      for (const bool capped : {false, true})
        for (const double zeta : {0.0, 0.02})
          for (const int scope : {0, 1, 2}) {
            RandomCase c(++seed, false);
            c.in.classes = 6;
            Random r(seed, 9);
            c.options = {};
            c.options.divide.flat = d.name;
            c.options.smoothing = epsilon;
            if (seed % 3 == 1) c.options.smoothing_kind = SmoothingKind::others;
            if (capped) c.options.softcap = 2.0;
            c.options.z_loss = zeta;
            const auto cells = static_cast<size_t>(c.in.batch * c.in.steps);
            for (auto& y : c.in.targets) y %= 6;
            if (scope > 0 || std::string(d.name) == "class_weight") {
              c.in.class_weight.emplace();
              for (int v = 0; v < 6; ++v) c.in.class_weight->push_back(r.uniform() + .2);
              c.options.class_scope = scope == 2 ? ClassScope::target : ClassScope::per_class;
            }
            std::vector<double> z(cells * 6), h(cells * 3), w(18), b(6), keep;
            for (auto* v : {&z, &h, &w, &b})
              for (double& x : *v) x = r.normal();
            const LiveRows rows = build_live_rows(c.in, c.options);
            CAPTURE(seed, d.name, epsilon, capped, zeta, scope);
            Tape& tape = Tape::current();
            const auto direct = [&](Tensor* leaf) {
              const Tensor x = variable(from_host(z, {c.in.batch, c.in.steps, 6}));
              if (leaf) *leaf = x;
              return sequence_loss(x, c.in, rows, c.options).value;
            };
            tape.reset();
            Tensor leaf;
            tape.backward(scale(direct(&leaf), 1.5));
            keep = to_host<double>(grad(leaf));
            const GradientClaim claim{"logits", z.data(), keep.data(), static_cast<int64_t>(z.size())};
            const auto report = check_gradients(
                [&] {
                  tape.reset();
                  return 1.5 * *direct(nullptr).as<double>();
                },
                {&claim, 1});
            INFO(report.where);
            REQUIRE(report.passed());
            std::vector<Tensor> leaves;
            const auto fused = [&] {
              leaves = {variable(from_host(h, {c.in.batch, c.in.steps, 3})), variable(from_host(w, {6, 3})),
                        variable(from_host(b, {6}))};
              return linear_sequence_loss(leaves[0], leaves[1], leaves[2], c.in, rows, c.options, rows.divisor).value;
            };
            tape.reset();
            tape.backward(fused());
            std::vector<std::vector<double>> g;
            for (const Tensor& t : leaves) g.push_back(to_host<double>(grad(t)));
            const std::vector<GradientClaim> claims = {
                {"hidden", h.data(), g[0].data(), static_cast<int64_t>(h.size())},
                {"weight", w.data(), g[1].data(), 18},
                {"bias", b.data(), g[2].data(), 6}};
            const auto fused_report = check_gradients(
                [&] {
                  tape.reset();
                  return *fused().as<double>();
                },
                claims);
            INFO(fused_report.where);
            REQUIRE(fused_report.passed());
          }
}

TEST_CASE("a vector loss takes its upstream, and then: folds it") {
  Fixture f(true);
  const Preset& p = preset("tf1.sequence_loss_by_example");
  LossOptions o = options_of(p);
  Tape& tape = Tape::current();
  tape.reset();
  const Tensor z = variable(from_host(f.logits, {3, 6, 2}));
  const LossResult r = sequence_loss(z, f.in, build_live_rows(f.in, o), o);
  tape.backward(r.value, from_host(std::vector<double>{2, 3, 5}, {3}));
  const auto g = to_host<double>(grad(z));
  o.then = Then::sum;
  const auto part = [&](double want_scale) {
    tape.reset();
    const Tensor x = variable(from_host(f.logits, {3, 6, 2}));
    const LossResult folded = sequence_loss(x, f.in, build_live_rows(f.in, o), o);
    CHECK(close(folded.values[0], 5.8 * want_scale, 1e-9));
    tape.backward(folded.value);
    return to_host<double>(grad(x));
  };
  const auto sum = part(1);
  o.then = Then::mean;
  const auto mean = part(1 / 3.0);
  for (size_t i = 0; i < 36; ++i) {
    CHECK(close(g[i], sum[i] * (i < 12 ? 2 : 3), 1e-14));
    CHECK(close(mean[i], sum[i] / 3, 1e-14));
  }
}

TEST_CASE("logits that are moved in carry the gradient in their own memory") {
  Fixture f(true);
  LossOptions o;
  Tape& tape = Tape::current();
  tape.reset();
  const LiveRows rows = build_live_rows(f.in, o);
  const Tensor x = variable(from_host(f.logits, {3, 6, 2}));
  tape.backward(sequence_loss(x, f.in, rows, o).value);
  const auto want = to_host<double>(grad(x));
  Tensor z = variable(from_host(f.logits, {3, 6, 2})), copy = z;
  const void* memory = z.data;
  const LossResult r = sequence_loss(std::move(z), f.in, rows, o, rows.divisor);
  tape.backward(r.value);
  CHECK(grad(copy).data == memory);
  CHECK(to_host<double>(grad(copy)) == want);
  CHECK(message_of([&] { tanh(copy); }).find("overwrote it in place") != std::string::npos);
}

TEST_CASE("an empty batch gives what on_zero says, and no gradient") {
  for (const auto& [policy, want] : {std::pair{OnZero::zero, 0.0}, {OnZero::nan, NaN}}) {
    Fixture f(false);
    f.in.lengths = {0, 0, 0};
    LossOptions o;
    o.on_zero = policy;
    Tape::current().reset();
    const Tensor z = variable(from_host(f.logits, {3, 6, 2}));
    const LossResult r = sequence_loss(z, f.in, build_live_rows(f.in, o), o);
    CHECK(close(r.values[0], want, 0));
    CHECK(r.sum.stats.empty == 1);
    Tape::current().backward(r.value);
    for (const double g : to_host<double>(grad(z))) CHECK((g == 0 && !std::signbit(g)));
  }
  Fixture f(false);
  f.in.lengths = {0, 0, 0};
  LossOptions o;
  o.on_zero = OnZero::error;
  CHECK(message_of([&] { f.run(o); }) == "no active target in this batch (3 examples, 0 of 18 positions active)");
}

TEST_CASE("errors name tensor, position, value and remedy") {
  const auto with = [](const std::function<void(Fixture&, LossOptions&)>& change) {
    Fixture f(true);
    LossOptions o;
    change(f, o);
    return message_of([&] { f.run(o); });
  };
  CHECK(with([](Fixture& f, LossOptions&) { f.in.targets[2] = 57; }) ==
        "target id 57 at (b=0,t=2) is outside [0,2); mask it or set ignore_index");
  CHECK(with([](Fixture& f, LossOptions&) { (*f.in.lengths)[1] = 12; }) == "lengths[1]=12 exceeds T=6");
  CHECK(with([](Fixture& f, LossOptions&) { (*f.in.lengths)[1] = -1; }) == "lengths[1]=-1 is negative");
  CHECK(with([](Fixture& f, LossOptions&) { (*f.in.token_weight)[1] = -0.5; }) == "token_weight(b=0,t=1) = -0.5");
  CHECK(with([](Fixture& f, LossOptions&) { (*f.in.token_weight)[1] = NaN; }) == "token_weight(b=0,t=1) = nan");
  CHECK(with([](Fixture& f, LossOptions&) {
          f.in.token_weight = {1, 2, 3};
        }) == "token_weight is [3]; expected [3,6]. Per-example weights go in example_weight");
  CHECK(with([](Fixture& f, LossOptions&) { f.logits[3] = NaN; }) == "logits(b=0,t=1,v=1) is nan on a live row");
  CHECK(with([](Fixture& f, LossOptions&) { f.logits[3] = INFINITY; }) == "logits(b=0,t=1,v=1) is inf on a live row");
  CHECK(with([](Fixture& f, LossOptions&) { f.logits[2] = f.logits[3] = -INFINITY; }) ==
        "logits(b=0,t=1) are all -inf on a live row");
  CHECK(with([](Fixture&, LossOptions& o) { o.smoothing = 1; }) == "loss: smoothing.epsilon must lie in [0,1), got 1");
  CHECK(with([](Fixture&, LossOptions& o) { o.softcap = 0; }) == "loss: softcap must be above 0, got 0");
  CHECK(with([](Fixture& f, LossOptions&) {
          f.in.steps = 5;
        }).find("T must match (did you forget to shift or trim?)") != std::string::npos);
}

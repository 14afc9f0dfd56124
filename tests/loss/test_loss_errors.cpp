// Every error of the layer by its text, and the order in which errors are found (engine/loss/README.md, Errors).
#include "tests/support/devices.h"
#include "tests/support/loss_batch.h"
#include "tests/support/loss_fixture.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

struct Fault {
  const char* id;
  std::function<void(Batch&)> make;
  std::string text, hidden_text = "";
};

// In the order of engine/loss/README.md, Errors.
const std::vector<Fault>& faults() {
  static const std::vector<Fault> all = {
      {"E14",
       [](Batch& b) {
         b.options.divide = {"tokens", "", "", 0};
       },
       "loss: unknown divisor 'tokens'; expected one of one, positions, steps, batch, active_batch, active, nonzero, "
       "weight, class_weight, active_minus_batch, {const: k} or {time: …, batch: …}"},
      {"E11", [](Batch& b) { b.options.smoothing = 1.2; }, "loss: smoothing.epsilon must lie in [0,1), got 1.2"},
      {"E01",
       [](Batch& b) {
         b.shape = {4, 9};
       },
       "loss: targets are [B=4,T=7] but logits are [B=4,T=9,V=50]; T must match (did you forget to shift or trim?)",
       "loss: targets are [B=4,T=7] with V=50 but hidden is [4,9,50] and weight [50,50]; T must match (did you forget "
       "to shift or trim?)"},
      {"E02",
       [](Batch& b) {
         b.in.token_weight = {1, 1, 1, 1};
       },
       "token_weight is [4]; expected [4,7]. Per-example weights go in example_weight"},
      {"E08",
       [](Batch& b) {
         b.in.class_weight = {1, 2, 3};
       },
       "loss: class_weight has 3 entries; expected [V] = 50"},
      {"E06",
       [](Batch& b) {
         b.in.lengths = {7, 7, 7, 12};
       },
       "lengths[3]=12 exceeds T=7"},
      {"E07",
       [](Batch& b) {
         b.in.example_weight = {1, -0.5, 1, 1};
       },
       "example_weight(b=1) = -0.5; expected a finite number of at least 0"},
      {"E04", [](Batch& b) { b.in.targets[1 * 7 + 2] = 57; },
       "target id 57 at (b=1,t=2) is outside [0,50); mask it or set ignore_index"},
      {"E10", [](Batch& b) { b.x[17] = b.x[50 + 3] = NaN; }, "logits(b=0,t=0,v=17) is nan on a live row",
       "logits(b=0,t=0,v=0) is nan on a live row"},
      {"E13",
       [](Batch& b) {
         b.in.class_weight.emplace(50, 0.0);
         b.options.divide = {"class_weight", "", "", 0};
         b.options.on_zero = OnZero::error;
       },
       "divisor `class_weight` is 0 in this batch (4 examples, 28 of 28 positions active)"},
      {"E16",
       [](Batch& b) {
         b.options.divide = {"", "active", "batch", 0};
         b.in.whole_sentences = false;
       },
       "loss: divide: {time: active, batch: batch} needs whole sentences, but these go on in another micro-batch"},
  };
  return all;
}

std::string text_of(const Fault& f, bool hidden) { return hidden && !f.hidden_text.empty() ? f.hidden_text : f.text; }

}  // namespace

TEST_CASE("errors name tensor, position, value and remedy, in both forms; of two the first in the order is told") {
  CHECK(with([](Batch&) {}) == "no error");
  CHECK(with([](Batch&) {}, true) == "no error");
  for (const bool hidden : {false, true})
    for (size_t i = 0; i < faults().size(); ++i) {
      const Fault& first = faults()[i];
      CAPTURE(first.id, hidden);
      CHECK(with(first.make, hidden) == text_of(first, hidden));
      for (size_t j = i + 1; j < faults().size(); ++j) {
        const Fault& second = faults()[j];
        if (first.id == std::string("E13")) continue;  // both set the divisor; see below
        CAPTURE(second.id);
        CHECK(with([&](Batch& b) { second.make(b), first.make(b); }, hidden) == text_of(first, hidden));
      }
    }
  CHECK(with([](Batch& b) {
          faults().back().make(b);
          b.options.divide.batch = "active_batch";
          b.options.on_zero = OnZero::error;
          b.in.lengths = {0, 0, 0, 0};
        }) == "no active target in this batch (4 examples, all lengths 0)");
}

TEST_CASE("E01, E02: shapes, for each tensor") {
  CHECK(with([](Batch& b) { b.in.targets.resize(20); }) ==
        "loss: targets have 20 entries but logits are [B=4,T=7,V=50]; T must match (did you forget to shift or trim?)");
  CHECK(with([](Batch& b) {
          b.shape = {3, 7};
        }) == "loss: targets are [B=4,T=7] but logits are [B=3,T=7,V=50]; B must match");
  CHECK(with([](Batch& b) { b.in.classes = 49; }) ==
        "loss: targets are [B=4,T=7] but logits are [B=4,T=7,V=50]; V must be 49");
  CHECK(with([](Batch& b) {
          b.in.mask = {1, 1, 1, 1};
        }) == "mask is [4]; expected [4,7]. Per-example lengths go in lengths");
  CHECK(with([](Batch& b) { b.in.mask.emplace(27, 1); }) == "loss: mask has 27 entries; expected [B,T] = 28");
  CHECK(with([](Batch& b) { b.in.lengths = {1, 2}; }) == "loss: lengths has 2 entries; expected [B] = 4");
  CHECK(with([](Batch& b) { b.in.example_weight = {1, 2}; }) == "loss: example_weight has 2 entries; expected [B] = 4");
  CHECK(with([](Batch& b) { b.in.prior = {1}; }) == "loss: prior has 1 entries; expected [V] = 50");
  const Tensor flat = from_host(std::vector<double>(100, 0), {2, 50});
  Batch b;
  CHECK(message_of([&] { sequence_loss(flat, b.in, b.options); }) ==
        "loss: logits are [2,50]; expected rank 3, [B,T,V]");
  CHECK(message_of([&] { sequence_loss(flat, b.in, b.options, Layout::time); }) ==
        "loss: logits are [2,50]; expected rank 3, [T,B,V]");
  b.options.input = Input::probs;
  CHECK(message_of([&] { sequence_loss(flat, b.in, b.options); }) ==
        "loss: probs are [2,50]; expected rank 3, [B,T,V]");
  CHECK(message_of([&] { sequence_loss(std::vector<Tensor>{}, b.in, b.options); }) ==
        "loss: layout: list without a step; write at least probs.0 and targets.0");
  CHECK(message_of([&] { reduce(b.in, std::vector<double>(27, 0.0), b.options); }) ==
        "loss: 27 row losses; expected [B=4,T=7]");
}

TEST_CASE("E01 of a time-major prediction names its own axes, and the layout that it would fit") {
  const Batch b;
  const auto said = [&](Shape shape, Layout layout) {
    Tape::current().reset();
    return message_of([&] { sequence_loss(zeros(shape, DType::f64), b.in, b.options, layout); });
  };
  const std::string but = "loss: targets are [B=4,T=7] but logits are ";
  CHECK(said({9, 4, 50}, Layout::time) == but + "[B=4,T=9,V=50]; T must match (did you forget to shift or trim?)");
  CHECK(said({7, 5, 50}, Layout::time) == but + "[B=5,T=7,V=50]; B must match");
  CHECK(said({7, 4, 49}, Layout::time) == but + "[B=4,T=7,V=49]; V must be 50");
  CHECK(said({4, 7, 50}, Layout::time) ==
        but + "[B=7,T=4,V=50]; are they batch-major, [B,T,V]? Then the layout is batch");
  CHECK(said({7, 4, 50}, Layout::batch) ==
        but + "[B=7,T=4,V=50]; are they time-major, [T,B,V]? Then the layout is time");
  CHECK(said({50, 4, 7}, Layout::time) == but + "[B=4,T=50,V=7]; are the logits [V,B,T]? The classes come last");
  CHECK(said({4, 50, 7}, Layout::batch) == but + "[B=4,T=50,V=7]; are the logits [B,V,T]? The classes come last");
}

TEST_CASE("hidden states, weight and bias that do not fit each other or the targets") {
  Batch b;
  const auto said = [&](Shape hidden, Shape weight, Shape bias = {}) {
    Tape::current().reset();
    return message_of([&] {
      linear_sequence_loss(zeros(hidden, DType::f64), zeros(weight, DType::f64),
                           bias.rank() ? zeros(bias, DType::f64) : Tensor{}, b.in, b.options);
    });
  };
  const std::string parts = " do not fit; expected [B,T,D] or [B·T,D], [V,D] and [V]",
                    sizes = "; T must match (did you forget to shift or trim?)";
  CHECK(said({4, 7, 5}, {50, 5}, {50}) == "no error");
  CHECK(said({28, 5}, {50, 5}) == "no error");
  CHECK(said({5}, {50, 5}) == "loss: hidden [5], weight [50,5] and bias []" + parts);
  CHECK(said({4, 7, 5}, {50}) == "loss: hidden [4,7,5], weight [50] and bias []" + parts);
  CHECK(said({4, 7, 5}, {50, 6}) == "loss: hidden [4,7,5], weight [50,6] and bias []" + parts);
  CHECK(said({4, 7, 5}, {50, 5}, {5}) == "loss: hidden [4,7,5], weight [50,5] and bias [5]" + parts);
  for (const Shape hidden : {Shape{27, 5}, Shape{4, 8, 5}})
    CHECK(said(hidden, {50, 5}) ==
          "loss: targets are [B=4,T=7] with V=50 but hidden is " + hidden.str() + " and weight [50,5]" + sizes);
  CHECK(said({3, 7, 5}, {50, 5}) ==
        "loss: targets are [B=4,T=7] with V=50 but hidden is [3,7,5] and weight [50,5]; B must match");
  CHECK(said({4, 7, 5}, {49, 5}) ==
        "loss: targets are [B=4,T=7] with V=50 but hidden is [4,7,5] and weight [49,5]; V must be 50");
}

TEST_CASE("E03, E17: lists of steps") {
  LossInputs in;
  in.batch = 1, in.steps = 2, in.classes = 3;
  in.targets = {0, 0};
  const Tensor step = from_host(std::vector<double>(3, 0), {1, 3});
  CHECK(message_of([&] { sequence_loss(std::vector<Tensor>(3, step), in, {}); }) ==
        "loss: logits has 3 steps, targets 2");
  CHECK(message_of([&] { sequence_loss(std::vector<Tensor>{}, in, {}); }) ==
        "loss: layout: list without a step; write at least logits.0 and targets.0");
  CHECK(message_of([&] {
          from_steps<double>({{1}, {1}, {1}, {1}}, 1, 5, "token_weight");
        }) == "loss: logits has 5 steps, token_weight 4");
  CHECK(message_of([&] {
          from_steps<double>({{1, 2}}, 1, 1, "token_weight");
        }) == "loss: token_weight.0 has 2 entries; expected [B=1]");
  const Tensor wide = from_host(std::vector<double>(4, 0), {1, 4});
  CHECK(message_of([&] {
          sequence_loss(std::vector<Tensor>{step, wide}, in, {});
        }) == "loss: logits.1 is [1,4]; expected [B=1,V=3]");
}

TEST_CASE("arrays of steps become one of sentences") {
  CHECK(from_steps<int64_t>({{1, 2}, {3, 4}, {5, 6}}, 2, 3, "targets") == std::vector<int64_t>{1, 3, 5, 2, 4, 6});
}

TEST_CASE("E04 and E09: exact texts in both forms") {
  for (const bool hidden : {false, true}) {
    CHECK(with([](Batch& b) { b.in.targets[2 * 7 + 6] = 57; }, hidden) ==
          "target id 57 at (b=2,t=6) is outside [0,50); mask it or set ignore_index");
    CHECK(with([](Batch& b) { b.in.targets[3] = -1; }, hidden) ==
          "target id -1 at (b=0,t=3) is outside [0,50); mask it or set ignore_index");
    const auto dense = [&](const std::function<void(std::vector<double>&)>& change, DenseSum sum) {
      return with(
          [&](Batch& b) {
            b.options.target = Target::dense;
            b.options.dense_sum = sum;
            b.in.targets.clear();
            b.in.dense.assign(28 * 50, 0.0);
            for (size_t n = 0; n < 28; ++n) b.in.dense[n * 50 + n] = 1;
            change(b.in.dense);
          },
          hidden);
    };
    const size_t row = (1 * 7 + 4) * 50;
    CHECK(dense([](auto&) {}, DenseSum::require) == "no error");
    CHECK(dense([&](auto& q) { q[row + 11] = 0; }, DenseSum::require) ==
          "dense target row (b=1,t=4) sums to 0.0; zero rows are not a mask – use mask/lengths, or dense_sum: allow");
    CHECK(dense([&](auto& q) { q[row + 11] = 0; }, DenseSum::allow) == "no error");
    CHECK(dense([&](auto& q) { q[row + 11] = 0; }, DenseSum::normalize) ==
          "dense target row (b=1,t=4) sums to 0.0 and cannot be normalized; use mask/lengths to leave it out");
    CHECK(dense([&](auto& q) { q[row] = q[row + 49] = 1e308; }, DenseSum::require) ==
          "dense target row (b=1,t=4) sums to inf; its numbers are too large to be added up");
    CHECK(dense([&](auto& q) { q[row] = q[row + 49] = 1e308; }, DenseSum::allow) ==
          "the loss at (b=1,t=4) is not finite: its target row sums to inf");
    CHECK(dense([&](auto& q) { q[row] = q[row + 49] = 1e308; }, DenseSum::normalize) ==
          "dense target row (b=1,t=4) sums to inf and cannot be normalized; use mask/lengths to leave it out");
    CHECK(
        dense([&](auto& q) { q[row] = .5; }, DenseSum::require) ==
        "dense target row (b=1,t=4) sums to 1.5; expected 1: dense_sum: normalize divides by it, or dense_sum: allow");
    CHECK(dense([&](auto& q) { q[row] = 1.01e-4; }, DenseSum::require).starts_with("dense target row (b=1,t=4) sums"));
    CHECK(dense([&](auto& q) { q[row] = 0.99e-4; }, DenseSum::require) == "no error");
    for (const DenseSum sum : {DenseSum::require, DenseSum::allow, DenseSum::normalize}) {
      CHECK(dense([&](auto& q) { q[row] = -.25; }, sum) ==
            "dense target (b=1,t=4,v=0) is -0.25; expected a finite number of at least 0");
      CHECK(dense([&](auto& q) { q[row] = NaN; }, sum) ==
            "dense target (b=1,t=4,v=0) is nan; expected a finite number of at least 0");
    }
  }
}

TEST_CASE("E06, E07: lengths and weights; of several the first in canonical order") {
  CHECK(with([](Batch& b) { (*b.in.lengths)[1] = -1; }) == "lengths[1]=-1 is negative");
  const std::string expected = "; expected a finite number of at least 0";
  const auto weights = [](const std::vector<std::pair<size_t, double>>& changes) {
    return [=](Batch& b) {
      b.in.token_weight.emplace(28, 1.0);
      for (const auto& [n, w] : changes) (*b.in.token_weight)[n] = w;
    };
  };
  CHECK(with(weights({{3, -0.5}, {9, NaN}})) == "token_weight(b=0,t=3) = -0.5" + expected);
  CHECK(with(weights({{9, NaN}})) == "token_weight(b=1,t=2) = nan" + expected);
  CHECK(with(weights({{9, infinity}})) == "token_weight(b=1,t=2) = inf" + expected);
  CHECK(with([&](Batch& b) {
          weights({{8, NaN}, {9, -1}})(b);
          b.in.mask.emplace(28, 1);
          (*b.in.mask)[8] = 0;
        }) == "token_weight(b=1,t=2) = -1" + expected);
  CHECK(with([&](Batch& b) {
          weights({{9, -1}})(b);
          b.in.example_weight = {1, NaN, 1, 1};
        }) == "example_weight(b=1) = nan" + expected);  // (1,0) comes before (1,2)
  CHECK(with([&](Batch& b) {
          weights({{9, -1}})(b);
          b.options.allow_negative_weights = true;
        }) == "no error");
  CHECK(with([&](Batch& b) {
          weights({{9, NaN}})(b);
          b.options.allow_negative_weights = true;
        }) == "token_weight(b=1,t=2) = nan; expected a finite number");
  CHECK(with([](Batch& b) { b.in.class_weight.emplace(50, -1.0); }) == "class_weight(v=0) = -1" + expected);
  CHECK(with([](Batch& b) { b.in.prior.emplace(50, -1.0); }) == "prior(v=0) = -1" + expected);
  CHECK(with([](Batch& b) { b.in.prior.emplace(50, 1.0); }) ==
        "prior sums to 50; expected probabilities, which sum to 1");
}

TEST_CASE("E10: logits that are not finite on a live row, cap or not, in place or not") {
  Device device = Device::cpu;
  const auto said = [&](std::vector<double> row, double softcap = 0) {
    Numbers m(1, 2, 3, {0, 1, 2, 0, 1, 2}, {0, 1});
    m.device = device;
    if (softcap > 0) m.options.softcap = softcap;
    std::copy(row.begin(), row.end(), m.x.begin() + 3);
    const std::string text = message_of([&] { m.run(); });
    CHECK(message_of([&] {
            Tape::current().reset();
            const LiveRows rows = build_live_rows(m.in, m.options);
            sequence_loss(variable(from_host(m.x, {1, 2, 3}, device)), m.in, rows, m.options, rows.divisor);
          }) == text);
    m.options.nonfinite = Nonfinite::propagate;
    const auto out = m.run();
    if (text != "no error") CHECK(!std::isfinite(out.value[0]));
    for (size_t i = 0; i < 6;
         ++i)  // a row with NaN or +inf, or of -inf only, has a gradient of NaN; others keep theirs
      CHECK(std::isnan(out.gradient[i]) == (i >= 3 && text.starts_with("logits")));
    return text;
  };
  for (const Device d : test_devices()) {
    device = d;
    CAPTURE(test_name_of(device));
    for (const double cap : {0.0, 2.0}) {
      CAPTURE(cap);
      CHECK(said({0, 1, NaN}, cap) == "logits(b=0,t=1,v=2) is nan on a live row");
      CHECK(said({infinity, 1, NaN}, cap) == "logits(b=0,t=1,v=0) is inf on a live row");
      CHECK(said({-infinity, -infinity, -infinity}, cap) == "logits(b=0,t=1) are all -inf on a live row");
      CHECK(said({-infinity, 1, 2}, cap) == "no error");
    }
    CHECK(said({0, -infinity, 2}) == "the loss at (b=0,t=1) is infinite: a class with target mass has logit -inf");
    CHECK(said({0, -infinity, 2}, 2.0) == "no error");  // the cap makes it a finite logit
  }
}

TEST_CASE("E10: a bias that is not finite is named by its class") {
  for (const int64_t v : {0, 1, 49}) {
    Tape::current().reset();
    const Batch b;
    std::vector<double> bias(50, 0.0);
    bias[static_cast<size_t>(v)] = NaN;
    const std::string said = message_of([&] {
      linear_sequence_loss(zeros({4, 7, 5}, DType::f64), zeros({50, 5}, DType::f64), from_host(bias, {50}), b.in,
                           b.options);
    });
    CAPTURE(said);
    CHECK(said.find(fmt::format("(b=0,t=0,v={}) is nan on a live row", v)) != std::string::npos);
  }
}

TEST_CASE("E12: what probabilities cannot be, told before any E10") {
  Device device = Device::cpu;
  const auto said = [&](std::vector<double> p, ProbsMode mode) {
    Numbers n(1, 2, 3, {.2, .3, NaN, 0, 0, 0}, {0, 0});  // the first row is E10
    n.device = device;
    std::copy(p.begin(), p.end(), n.x.begin() + 3);
    n.options.input = Input::probs;
    n.options.probs_mode = mode;
    return message_of([&] { n.run(); });
  };
  for (const Device d : test_devices()) {
    device = d;
    for (const ProbsMode mode : {ProbsMode::renorm_clip, ProbsMode::clip_then_softmax, ProbsMode::strict}) {
      CHECK(said({-3.1, .2, .3}, mode) == "probs(b=0,t=1) has value -3.1: these look like logits (input: logits)");
      CHECK(said({.1, 1.5, .3}, mode) == "probs(b=0,t=1) has value 1.5: these look like logits (input: logits)");
      CHECK(said({0, 0, 0}, mode) == "probs(b=0,t=1) sum to 0; a row of zeros is not a mask – use mask or lengths");
      CHECK(said({.2, .3, .5}, mode) == "probs(b=0,t=0,v=2) is nan on a live row");
    }
    CHECK(said({.2, .3, .4}, ProbsMode::strict) ==
          "probs(b=0,t=1) sum to 0.9; probs.mode: strict needs 1 (renorm_clip divides by the sum)");
  }
}

TEST_CASE("E13, E16: empty divisors and sums of different kinds") {
  const auto empty = [](const std::function<void(Batch&)>& set) {
    return with([&](Batch& b) {
      b.options.on_zero = OnZero::error;
      set(b);
    });
  };
  CHECK(empty([](Batch& b) {
          b.in.lengths = {0, 0, 0, 0};
        }) == "no active target in this batch (4 examples, all lengths 0)");
  CHECK(empty([](Batch& b) { b.in.mask.emplace(28, 0); }) ==
        "no active target in this batch (4 examples, 0 of 28 positions active)");
  CHECK(empty([](Batch& b) {
          b.in.lengths = {0, 0, 0, 0};
          b.options.divide_eps = 1e-12;
        }) == "no active target in this batch (4 examples, all lengths 0)");
  CHECK(empty([](Batch& b) {
          b.in.token_weight.emplace(28, 0.0);
          b.options.divide.flat = "weight";
        }) == "divisor `weight` is 0 in this batch (4 examples, 28 of 28 positions active)");
  CHECK(empty([](Batch& b) {
          b.in.lengths = {7, 0, 7, 7};
          b.options.over = Over::time;
        }) == "divisor `active` is 0 in example b=1");
  CHECK(empty([](Batch& b) {
          b.in.lengths = {3, 2, 3, 1};
          b.options.over = Over::batch;
        }) == "divisor `active` is 0 in step t=3");
  CHECK(empty([](Batch& b) {
          b.in.lengths = {7, 5, 7, 7};
          b.options.over = Over::none;
        }) == "divisor `active` is 0 at (b=1,t=5)");
  CHECK(empty([](Batch& b) {
          b.in.lengths = {0, 0, 0, 0};
          b.options.over = Over::time;
        }) == "no active target in this batch (4 examples, all lengths 0)");
  CHECK(empty([](Batch& b) {
          b.in.lengths = {0, 1, 0, 0};
          b.options.over = Over::time;
        }) == "divisor `active` is 0 in example b=0");

  Fixture f(true);
  LossOptions by_weight;
  by_weight.divide.flat = "weight";
  LossSum sum = f.run({}).sum;
  CHECK(message_of([&] { sum += f.run(by_weight).sum; }) ==
        "loss: a sum divided by active cannot be merged with one divided by weight");
}

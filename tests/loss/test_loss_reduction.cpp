// Vector losses, gradients in place, empty batches.
#include "engine/loss/presets.h"
#include "engine/ops/elementwise.h"
#include "tests/support/loss_fixture.h"

using namespace seqgrad;
using namespace seqgrad::testing;

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

TEST_CASE("what cannot be overwritten is left alone although it is moved in: probabilities, and vector losses") {
  Fixture f(false);
  const auto keeps_its_numbers = [&](const LossOptions& o, const std::vector<double>& x) {
    Tape& tape = Tape::current();
    tape.reset();
    const LiveRows rows = build_live_rows(f.in, o);
    const Tensor kept = variable(from_host(x, {3, 6, 2}));
    const LossResult a = sequence_loss(kept, f.in, rows, o);
    tape.backward(a.value, from_host(std::vector<double>(a.values.size(), 1.0), a.value.shape));
    Tensor moved = variable(from_host(x, {3, 6, 2})), copy = moved;
    const LossResult b = sequence_loss(std::move(moved), f.in, rows, o, rows.divisor);
    CHECK(to_host<double>(copy) == x);
    tape.backward(b.value, from_host(std::vector<double>(b.values.size(), 1.0), b.value.shape));
    CHECK(a.values == b.values);
    CHECK(to_host<double>(grad(copy)) == to_host<double>(grad(kept)));
  };
  std::vector<double> x;
  for (size_t i = 0; i < 18; ++i)
    x.insert(x.end(), {.1 + .04 * static_cast<double>(i), .9 - .04 * static_cast<double>(i)});
  LossOptions probabilities, vector;
  probabilities.input = Input::probs;
  keeps_its_numbers(probabilities, x);
  vector.over = Over::time;
  keeps_its_numbers(vector, x);
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
  CHECK(message_of([&] { f.run(o); }) == "no active target in this batch (3 examples, all lengths 0)");
}

// Dense targets in float32: the bits of the same numbers in float64, whatever is asked of them.
#include "engine/loss/presets.h"
#include "engine/loss/row_target.h"
#include "tests/support/loss_fixture.h"
#include "tests/support/loss_random.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

void give_as_float32(LossInputs& in) {
  in.dense_f32.assign(in.dense.begin(), in.dense.end());
  in.dense.clear();
}

// Rounds them to float32; some become subnormal there, and the others stay what they sum to.
void round_to_float32(std::vector<double>& q, Random& r) {
  for (double& x : q) x = x == 0 && r.below(40) == 0 ? static_cast<double>(1e-40f) : static_cast<float>(x);
}

}  // namespace

TEST_CASE("dense targets of float32 have the bits of the same numbers in float64") {
  int straight = 0, copied = 0, divided = 0, ids = 0;
  each_promise_case([&](uint64_t seed, Device device) {
    RandomCase f64(seed, dtype_of_seed(seed), {}, Target::dense);
    Random r(seed, 9);
    round_to_float32(f64.in.dense, r);
    f64.poison(seed);
    RandomCase f32 = f64;
    give_as_float32(f32.in);
    const LiveRows rows = build_live_rows(f32.in, f32.options);
    const bool plain = row_rule(f32.in, f32.options).is_plain() && f32.options.input == Input::logits;
    for (const LiveRow& row : rows.rows) {
      straight += row.in_place && rows.distribution(row).f32 && plain && f32.dtype == DType::f32;
      copied += !row.in_place && rows.distribution(row).f32;
      divided += rows.distribution(row).f64 != nullptr;
      ids += !rows.distribution(row);
    }
    REQUIRE((rows.dense.f32.empty() || rows.dense.f64.empty()));
    REQUIRE(rows.dense.f32.empty() == (rows.dense.empty() || f32.options.dense_sum == DenseSum::normalize));
    REQUIRE(everything(f32, device) == everything(f64, device));
  });
  CHECK(std::min({straight, copied, divided, ids}) > 100);
}

TEST_CASE("a wide row of float32 targets, which several blocks of a GPU share") {
  for (const Device device : test_devices()) {
    CAPTURE(test_name_of(device));
    Numbers f64(1, 2, 40000, std::vector<double>(80000));
    Random r(3, 0);
    for (double& z : f64.x) z = r.normal();
    for (size_t i = 0; i < f64.x.size(); ++i) f64.in.dense.push_back(static_cast<float>(r.uniform() / 20000));
    f64.options.dense_sum = DenseSum::allow;
    f64.device = device;
    Numbers f32 = f64;
    give_as_float32(f32.in);
    const Numbers::Out want = f64.run(), got = f32.run();
    CHECK(got.value == want.value);
    CHECK(got.gradient == want.gradient);
  }
}

TEST_CASE("a subnormal target mass is the smallest normal weight, where nothing else is left of its gradient") {
  const auto run = [](bool as_f32) {
    LossInputs in;
    in.batch = in.steps = 1, in.classes = 3;
    in.dense = {0.5, static_cast<double>(1e-40f), 0.5};
    if (as_f32) give_as_float32(in);
    LossOptions o;
    o.target = Target::dense;
    Tape::current().reset();
    const Tensor x = variable(from_host(std::vector<float>{0, -200, 0}, {1, 1, 3}));
    Tape::current().backward(sequence_loss(x, in, o).value);
    return to_host<float>(grad(x))[1];
  };
  CHECK(run(false) == -0x1p-126f);
  CHECK(run(true) == -0x1p-126f);
}

TEST_CASE("every preset of dense targets takes float32 ones") {
  int taken = 0;
  for (const Preset& p : presets()) {
    LossOptions o = options_of(p);
    if (p.given == Given::dense) o.target = Target::dense;
    if (o.target != Target::dense) continue;
    CAPTURE(p.name, p.flags);
    ++taken;
    LossInputs f64 = Fixture(false).in;
    f64.targets.clear();
    for (int n = 0; n < 18; ++n) f64.dense.insert(f64.dense.end(), {0.25 + n / 64.0, 0.75 - n / 64.0});
    LossInputs f32 = f64;
    give_as_float32(f32);
    const auto run = [&](const LossInputs& in) {
      Tape::current().reset();
      const Tensor x = variable(from_host(std::vector<float>(36, 0.5f), {3, 6, 2}));
      const LossResult r = sequence_loss(x, in, o);
      Tape::current().backward(r.value, from_host(std::vector<float>(r.values.size(), 1.0f), r.value.shape));
      return std::pair(bits(r.values), bits(grad(x)));
    };
    CHECK(run(f32) == run(f64));
  }
  CHECK(taken > 1);
}

TEST_CASE("what is wrong with float32 targets is said as of float64 ones") {
  Numbers n(1, 1, 3, {0, 1, 2});
  const auto refusal = [&](std::vector<float> q) {
    n.in.dense_f32 = std::move(q);
    return message_of([&] { n.run(); });
  };
  CHECK(refusal({-1, 0, 2}) == "dense target (b=0,t=0,v=0) is -1.0; expected a finite number of at least 0");
  CHECK(refusal({1, 1, 1}) ==
        "dense target row (b=0,t=0) sums to 3.0; expected 1: dense_sum: normalize divides by it, or dense_sum: allow");
  CHECK(refusal({1, 0}) ==
        "loss: targets have 2 entries but logits are [B=1,T=1,V=3]; T must match (did you forget to shift or trim?)");
}

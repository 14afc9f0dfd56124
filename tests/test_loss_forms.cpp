// The other forms of the loss's inputs: dense targets that are no distributions, probabilities and their clips.
#include "engine/core/random.h"
#include "tests/loss_helpers.h"

using namespace seqgrad;
using namespace seqgrad::testing;

TEST_CASE("dense targets whose rows do not sum to 1: the gradient Q·p − q, or that of q/Q") {
  Numbers n(1, 2, 4, {1, 1, 1, 1, 1, 2, 3, 4});
  n.options.divide.flat = "one";
  n.in.dense = {0, 0, 0, 2, 0, .25, .5, 0};
  n.options.dense_sum = DenseSum::allow;
  auto out = n.run();
  const double l = 3.440189699;  // log-sum-exp of the second row, less its first logit
  check_close(out.result.row_loss, {2 * 1.386294361, .25 * (l - 1) + .5 * (l - 2)}, 1e-9);
  const double p[] = {.032058603, .087144319, .236882818, .643914260};
  check_close(out.gradient, {.5, .5, .5, -1.5, .75 * p[0], .75 * p[1] - .25, .75 * p[2] - .5, .75 * p[3]}, 2e-9);

  n.options.dense_sum = DenseSum::normalize;
  out = n.run();
  check_close(out.result.row_loss, {1.386294361, (.25 * (l - 1) + .5 * (l - 2)) / .75}, 1e-9);
  check_close(out.gradient, {.25, .25, .25, -.75, p[0], p[1] - 1 / 3., p[2] - 2 / 3., p[3]}, 2e-9);
}

TEST_CASE("probabilities: three modes") {
  Numbers small(1, 1, 3, {1, .6, .4}, {1});
  small.options.input = Input::probs;
  auto out = small.run();
  CHECK(close(out.value[0], 1.203972804, 1e-9));
  check_close(out.gradient, {.5, -1.166666667, .5}, 1e-9);
  small.options.probs_mode = ProbsMode::clip_then_softmax;
  out = small.run();
  CHECK(close(out.value[0], std::log((1 - 1e-7 + 1.0) / .6), 1e-12));
  check_close(out.gradient, {0, 1 / 2.0 - 1 / .6, 1 / 2.0}, 1e-7);
  small.options.probs_mode = ProbsMode::strict;
  small.x = {.3, .6, .1};
  out = small.run();
  CHECK(close(out.value[0], -std::log(.6), 1e-15));
  check_close(out.gradient, {0, -1 / .6, 0}, 1e-15);
  CHECK(out.result.sum.stats.clip_hits == 0);
}

TEST_CASE("a saturated probability: the clip's value, no gradient, a count and a warning with its place") {
  Numbers n(1, 2, 2, {.5, .5, 1, 0}, {0, 1});
  n.options.input = Input::probs;
  n.options.divide.flat = "one";
  const auto out = n.run();
  CHECK(close(out.result.row_loss[1], 16.118095651, 1e-9));
  check_close(out.gradient, {-1, 1, 0, 0}, 1e-12);
  CHECK(out.result.sum.stats.clip_hits == 1);
  REQUIRE(out.result.warnings.size() == 1);
  CHECK(out.result.warnings[0].text ==
        "a probability at (b=0,t=1) hit the clip at 1e-07: its gradient there is 0 although the loss is 16.1181");
  n.options.probs_mode = ProbsMode::strict;
  CHECK(message_of([&] { n.run(); }) ==
        "the loss at (b=0,t=1) is infinite: a class with target mass has probability 0");
  n.options.nonfinite = Nonfinite::propagate;
  CHECK(n.run().value[0] == infinity);
}

namespace {

// A fused loss in float32 over several tiles, the last of them lower than the others.
struct WideLoss {
  int64_t rows = 450, classes = 2100, width = 40;
  LossInputs in;
  std::vector<float> hidden, weight, bias;

  WideLoss() {
    Random random(7, 0);
    in.batch = rows;
    in.steps = 1;
    in.classes = classes;
    for (int64_t i = 0; i < rows; ++i)
      in.targets.push_back(static_cast<int64_t>(random.below(static_cast<uint64_t>(classes))));
    const auto fill = [&](std::vector<float>& v, int64_t n) {
      for (int64_t i = 0; i < n; ++i) v.push_back(static_cast<float>(random.normal()));
    };
    fill(hidden, rows * width);
    fill(weight, classes * width);
    fill(bias, classes);
  }

  struct Out {
    std::vector<double> row_loss;
    std::vector<float> dh, dw, db;
  };
  Out run(ParameterGradients when, float before = 0, float upstream = 1, int backwards = 1) const {
    Tape& tape = Tape::current();
    tape.reset();
    const Tensor h = variable(from_host(hidden, {rows, 1, width})), w = variable(from_host(weight, {classes, width})),
                 b = variable(from_host(bias, {classes}));
    for (const Tensor& x : {w, b}) std::fill_n(grad(x).as<float>(), x.numel(), before);
    const LossOptions options;
    const LiveRows live = build_live_rows(in, options);
    const LossResult r = linear_sequence_loss(h, w, b, in, live, options, live.divisor, when);
    for (int i = 0; i < backwards; ++i) tape.backward(r.value, from_host(std::vector<float>{upstream}, {}));
    return {r.row_loss, to_host<float>(grad(h)), to_host<float>(grad(w)), to_host<float>(grad(b))};
  }
};

}  // namespace

TEST_CASE("parameter gradients formed in forward are those of backward, and are added") {
  const WideLoss loss;
  const auto later = loss.run(ParameterGradients::in_backward), now = loss.run(ParameterGradients::now);
  CHECK(now.row_loss == later.row_loss);
  CHECK(now.dh == later.dh);
  CHECK(now.dw == later.dw);
  CHECK(now.db == later.db);
  const auto added = loss.run(ParameterGradients::now, 0.5f);
  bool good = true;
  for (size_t i = 0; i < added.dw.size(); ++i) good &= std::abs(added.dw[i] - 0.5f - now.dw[i]) < 1e-6f;
  for (size_t i = 0; i < added.db.size(); ++i) good &= std::abs(added.db[i] - 0.5f - now.db[i]) < 1e-6f;
  CHECK(good);
  const char* refusal = "linear_sequence_loss: its parameters have their gradients already";
  CHECK(message_of([&] { loss.run(ParameterGradients::now, 0, 2); }).find(refusal) == 0);
  CHECK(message_of([&] { loss.run(ParameterGradients::now, 0, 1, 2); }).find(refusal) == 0);
}

TEST_CASE("a row of a fused loss keeps its bits in whatever tile it lies") {
  const WideLoss loss;
  WideLoss turned = loss;  // the same rows, last first
  for (int64_t i = 0; i < loss.rows; ++i) {
    const int64_t j = loss.rows - 1 - i;
    turned.in.targets[static_cast<size_t>(j)] = loss.in.targets[static_cast<size_t>(i)];
    std::copy_n(loss.hidden.begin() + i * loss.width, loss.width, turned.hidden.begin() + j * loss.width);
  }
  const auto a = loss.run(ParameterGradients::now), b = turned.run(ParameterGradients::now);
  bool same = true;
  for (int64_t i = 0; i < loss.rows; ++i) {
    const int64_t j = loss.rows - 1 - i;
    same &= a.row_loss[static_cast<size_t>(i)] == b.row_loss[static_cast<size_t>(j)];
    same &=
        std::equal(a.dh.begin() + i * loss.width, a.dh.begin() + (i + 1) * loss.width, b.dh.begin() + j * loss.width);
  }
  CHECK(same);
}

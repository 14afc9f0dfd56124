// The other forms of the loss's inputs: dense targets that are no distributions, probabilities and their clips.
#include "engine/core/random.h"
#include "tests/support/loss_helpers.h"

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

// The acceptance suite (engine/loss/README.md): values of the tests of TensorFlow 1 and TensorFlow Addons.
#include "tests/support/loss_goldens.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

constexpr int aT = average_across_timesteps, aB = average_across_batch, sT = sum_over_timesteps, sB = sum_over_batch;

// TF1's legacy test: at step i all logits are i + .5 and the target is i; B=2, T=3, V=5.
Numbers uniform_steps(double last_weight = 1) {
  Numbers n(2, 3, 5, {}, {0, 1, 2, 0, 1, 2});
  for (int b = 0; b < 2; ++b)
    for (int t = 0; t < 3; ++t) n.x.insert(n.x.end(), 5, t + .5);
  n.in.token_weight = {1, 1, last_weight, 1, 1, last_weight};
  return n;
}

}  // namespace

TEST_CASE("G02, G03 TF1: sparse and dense cross entropy of the same logits") {
  Numbers sparse(1, 2, 4, {1, 1, 1, 1, 1, 2, 3, 4}, {3, 0});
  sparse.options = none();
  auto out = sparse.run();
  check_close(out.value, {1.386294361, 3.440189699}, 1e-9);
  check_close(out.gradient, {.25, .25, .25, -.75, -.967941397, .087144319, .236882818, .643914260}, 2e-9);

  Numbers dense(1, 2, 4, sparse.x);
  dense.in.dense = {0, 0, 0, 1, 0, .5, .5, 0};
  dense.options = none();
  dense.options.target = Target::dense;
  out = dense.run();
  check_close(out.value, {1.386294361, 1.940189699}, 1e-9);
  check_close(out.gradient, {.25, .25, .25, -.75, .032058603, -.412855681, -.263117182, .643914260}, 2e-9);
}

TEST_CASE("G04 TF1: a negative distribution, whose gradient TensorFlow has wrong, is refused") {
  Numbers n(3, 1, 1, {1, -1, 0});
  n.in.dense = {-1, 0, 1};
  CHECK(message_of([&] { n.run(); }) == "dense target (b=0,t=0,v=0) is -1.0; expected a finite number of at least 0");
  n.in.dense = {1, 1, 1};
  const auto out = n.run();
  CHECK(out.value[0] == 0);
  CHECK(out.gradient == std::vector<double>{0, 0, 0});
}

TEST_CASE("G06, G07 TF1 legacy: sequence_loss and sequence_loss_by_example of uniform logits, as a list of steps") {
  Numbers n = uniform_steps();
  const double one = 1.609437912, step_sum = 4.828313737;
  check_close(value_as(n, "tf1.legacy_sequence_loss", aT | aB), {one}, 1e-9);
  check_close(value_as(n, "tf1.legacy_sequence_loss", aB), {step_sum}, 1e-9);
  check_close(value_as(n, "tf1.legacy_sequence_loss", 0), {9.656627475}, 1e-9);
  check_close(value_as(n, "tf1.sequence_loss_by_example", aT), {one, one}, 1e-9);
  check_close(value_as(n, "tf1.sequence_loss_by_example", 0), {step_sum, step_sum}, 1e-9);
  as(n, "tf1.legacy_sequence_loss", 0);
  Tape::current().reset();
  std::vector<Tensor> steps;
  for (int t = 0; t < 3; ++t) steps.push_back(variable(from_host(std::vector<double>(10, t + .5), {2, 5})));
  check_close(sequence_loss(steps, n.in, n.options).values, {9.656627475}, 1e-9);
}

TEST_CASE("G08, G09, G10 TF Addons: shapes, weights of 0, and the flags that have no order") {
  const double one = 1.609437912;
  const auto all = [&](double weight, int flags, size_t entries) {
    Numbers n = uniform_steps();
    n.in.token_weight->assign(6, weight);
    check_close(value_as(n, "tfa.sequence_loss", flags), std::vector<double>(entries, weight == 0 ? 0 : one), 1e-9);
  };
  for (const double weight : {1.0, 0.0})
    for (const auto& [flags, entries] : {std::pair{aT | aB, 1}, {aT, 2}, {aB, 3}, {0, 6}})
      all(weight, flags, static_cast<size_t>(entries));
  const Numbers n = uniform_steps(0);
  check_close(value_as(n, "tfa.sequence_loss", sT | sB), {one}, 1e-9);
  check_close(value_as(n, "tfa.sequence_loss", sB), {one, one, 0}, 1e-9);
  check_close(value_as(n, "tfa.sequence_loss", sT), {one, one}, 1e-9);
  check_close(value_as(n, "tfa.sequence_loss", 0), {one, one, 0, one, one, 0}, 1e-9);
  CHECK(
      message_of([&] {
        value_as(n, "tfa.sequence_loss", aB | sT);
      }).starts_with("loss: sum_over_timesteps with average_across_batch has no defined order: sums, then their mean"));
}

TEST_CASE("G11, G12 TF1: tf.losses divide by the weights that are not 0") {
  Numbers n(3, 1, 3, {10, 0, 0, 0, 10, 0, 0, 0, 10}, {2, 0, 1});
  n.in.token_weight = {1.2, 0, 0};
  check_close(value_as(n, "tf1.losses.mean"), {10.000090796}, 1e-9);
  check_close(value_as(n, "tf1.losses.sum_over_batch_size"), {4.000036318}, 1e-9);
  as(n, "tf1.losses.sum_by_nonzero_weights");
  const auto out = n.run();
  check_close(out.value, {12.000108955}, 1e-9);
  const double p = 1 / (1 + 2 * std::exp(-10.)), rest = std::exp(-10.) * p;
  check_close(out.gradient, {1.2 * p, 1.2 * rest, 1.2 * (rest - 1), 0, 0, 0, 0, 0, 0}, 1e-14);
  n.in.token_weight = {1.2, 3.4, 5.6};
  check_close(n.run().value, {34.000308706}, 1e-9);
  n.in.token_weight = {0, 0, 0};
  check_close(n.run().value, {0}, 0);
}

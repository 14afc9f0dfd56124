// Which rows have their whole target at one class, where the gradient takes a form of its own.
#include <cmath>
#include <vector>

#include "engine/naming/meaning.h"
#include "tests/support/catch.h"

using namespace seqgrad;

namespace {

// Of one row: r = (1-ε)·one-hot(target) + ε·prior, loss = Σ r·(lse - z), gradient = softmax(z) - r.
void check_row(const std::vector<double>& prior, double epsilon, int32_t target) {
  const std::vector<double> z = {0.4, -1.2, 2.5};
  LossBatch batch;
  batch.inputs.batch = batch.inputs.steps = 1, batch.inputs.classes = 3;
  batch.inputs.targets = {target};
  batch.inputs.prior = prior;
  batch.x = z;
  LossOptions options;
  options.smoothing = epsilon;
  options.smoothing_kind = SmoothingKind::prior;
  const LossAnswer got = answer_of(options, batch);
  REQUIRE(got.d_x.size() == z.size());
  double sum = 0, value = 0;
  for (const double x : z) sum += std::exp(x);
  for (size_t v = 0; v < z.size(); ++v) {
    const double r = (static_cast<int32_t>(v) == target ? 1 - epsilon : 0) + epsilon * prior[v];
    value += r * (std::log(sum) - z[v]);
    CAPTURE(epsilon, target, v);
    CHECK(got.d_x[v] == Approx(std::exp(z[v]) / sum - r).epsilon(1e-12));
  }
  CHECK(got.value[0] == Approx(value).epsilon(1e-13));
}

}  // namespace

TEST_CASE("a target whose smoothing is as much as what is left of it shares its row with the other class") {
  const double epsilon = 2.0 / 3;
  double own = (1 - epsilon) / epsilon;
  if (epsilon * own != 1 - epsilon) own = std::nextafter(own, epsilon * own < 1 - epsilon ? 1 : 0);
  REQUIRE(epsilon * own == 1 - epsilon);
  check_row({own, 1 - own, 0}, epsilon, 0);
  check_row({1 - own, own, 0}, epsilon, 1);
}

TEST_CASE("a prior of one class is the whole row, or shares it with the target") {
  for (int32_t target = 0; target < 3; ++target) check_row({0, 1, 0}, 0.5, target);
}

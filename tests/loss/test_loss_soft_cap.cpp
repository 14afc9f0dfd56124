// A soft cap κ·tanh(z/κ) by its own formula, below 1 as above it.
#include <cmath>
#include <vector>

#include "engine/naming/meaning.h"
#include "tests/support/catch.h"

using namespace seqgrad;

TEST_CASE("a soft cap bends the gradient as it bends the loss, whatever its size") {
  const std::vector<double> z = {0.3, -0.7, 1.1};
  constexpr size_t target = 1;
  for (const double cap : {0.25, 0.5, 1.0, 1.5, 30.0}) {
    LossBatch batch;
    batch.inputs.batch = batch.inputs.steps = 1, batch.inputs.classes = 3;
    batch.inputs.targets = {target};
    batch.x = z;
    LossOptions options;
    options.softcap = cap;
    const LossAnswer got = answer_of(options, batch);
    std::vector<double> bent;
    double sum = 0;
    for (const double x : z) bent.push_back(std::tanh(x / cap)), sum += std::exp(cap * bent.back());
    CAPTURE(cap);
    REQUIRE(got.d_x.size() == z.size());
    CHECK(got.value[0] == Approx(std::log(sum) - cap * bent[target]).epsilon(1e-13));
    for (size_t v = 0; v < z.size(); ++v) {
      const double p = std::exp(cap * bent[v]) / sum;
      CHECK(got.d_x[v] == Approx((p - (v == target)) * (1 - bent[v] * bent[v])).epsilon(1e-12));
    }
  }
}

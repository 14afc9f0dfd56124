// Rows of so many classes that several blocks of a GPU share one, and rows that are read in packs of 16 bytes or not.
#include "engine/core/random.h"
#include "tests/support/loss_helpers.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

// Three rows: the targets lie in the first, a middle and the last part.
Numbers wide(int64_t classes, Device device) {
  Random random(9, static_cast<uint64_t>(classes));
  std::vector<double> x(static_cast<size_t>(3 * classes));
  for (double& v : x) v = 3 * random.normal();
  Numbers n(1, 3, classes, std::move(x), {5, classes / 2, classes - 1});
  n.device = device;
  return n;
}

template <class T>
std::pair<std::vector<double>, std::vector<T>> run(const Numbers& n) {
  Tape::current().reset();
  const Tensor z =
      variable(from_host(std::vector<T>(n.x.begin(), n.x.end()), {n.in.batch, n.in.steps, n.in.classes}, n.device));
  const LossResult r = sequence_loss(z, n.in, n.options);
  Tape::current().backward(r.value);
  std::vector<double> told = r.row_loss;
  told.insert(told.end(), r.correct.begin(), r.correct.end());
  told.push_back(r.sum.stats.nll_sum);
  told.push_back(r.sum.stats.z_sum);
  return {told, to_host<T>(grad(z))};
}

template <class T>
void compare(const std::function<void(Numbers&)>& change, double tolerance) {
  for (const int64_t classes : {2100, 2102, 8192, 12000, 32768, 40000, 40003}) {
    CAPTURE(classes, sizeof(T));
    Numbers n = wide(classes, Device::cpu);
    change(n);
    const auto want = run<T>(n);
    n.device = Device::cuda;
    const auto got = run<T>(n);
    REQUIRE(run<T>(n) == got);
    check_close(got.first, want.first, tolerance);
    double largest = 0, worst = 0;
    for (size_t i = 0; i < want.second.size(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(want.second[i])));
      worst = std::max(worst, std::abs(static_cast<double>(got.second[i] - want.second[i])));
    }
    CHECK(worst <= tolerance * largest);
  }
}

void compare_both(const std::function<void(Numbers&)>& change) {
  compare<double>(change, 1e-13);
  compare<float>(change, 2e-5);
}

}  // namespace

TEST_CASE("wide rows have the same loss and gradient on every device") {
  compare_both([](Numbers&) {});
  compare_both([](Numbers& n) { n.options.smoothing = 0.1, n.options.z_loss = 1e-3; });
  compare_both([](Numbers& n) { n.options.softcap = 2.0; });
}

TEST_CASE("wide rows with weights of classes have the same loss and gradient on every device") {
  compare_both([](Numbers& n) {
    n.options.smoothing = 0.1, n.options.class_scope = ClassScope::per_class;
    n.in.class_weight.emplace();
    for (int64_t v = 0; v < n.in.classes; ++v) n.in.class_weight->push_back(0.25 * static_cast<double>(v % 7));
  });
}

TEST_CASE("wide rows with ties, and with parts of -inf, have the same loss and gradient on every device") {
  compare_both([](Numbers& n) {
    const auto v = static_cast<size_t>(n.in.classes);
    n.x[7] = n.x[v / 2] = n.x[v - 1] = 50;                                 // first of the maxima: class 7
    std::fill_n(n.x.begin() + static_cast<int64_t>(v), v / 3, -infinity);  // a part, and not the target
    std::fill_n(n.x.begin() + static_cast<int64_t>(2 * v), v - 1, -infinity);
  });
}

TEST_CASE("a wide row that is not finite is named on every device") {
  for (const Device device : {Device::cpu, Device::cuda})
    for (const double bad : {NaN, infinity}) {
      Numbers n = wide(40000, device);
      n.x[40000 + 33333] = bad;
      CHECK(message_of([&] { n.run(); }) ==
            fmt::format("logits(b=0,t=1,v=33333) is {} on a live row", std::isnan(bad) ? "nan" : "inf"));
      n.options.nonfinite = Nonfinite::propagate;
      const auto gradient = n.run().gradient;
      CHECK(std::isfinite(gradient[39999]));
      CHECK(std::isnan(gradient[40000]));
      CHECK(std::isnan(gradient[79999]));
      CHECK(std::isfinite(gradient[80000]));
    }
}

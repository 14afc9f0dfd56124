// The gradient of a weight that many time steps multiply by, which is made from all of them.
#include "engine/core/random.h"
#include "engine/core/thread_pool.h"
#include "engine/nn/parameters.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/matmul.h"
#include "engine/ops/reduce.h"
#include "tests/support/loss_helpers.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

constexpr int64_t in = 5, out = 3;

std::vector<double> normal(int64_t n, uint64_t seed) {
  Random random(seed, 0);
  std::vector<double> x;
  for (int64_t i = 0; i < n; ++i) x.push_back(random.normal());
  return x;
}

struct Weight {
  ParameterStore store;
  Tensor w, b;
  explicit Weight(DType dtype = DType::f64) : store(dtype, Device::cpu) {
    Parameter &weight = store.add("w", {in, out}, Init::uniform(1)), &bias = store.add("b", {out}, Init::uniform(1));
    store.allocate(1);
    store.zero_grad();
    w = weight.tensor;
    b = bias.tensor;
  }
  std::vector<double> gradient() const { return to_host<double>(grad(w)); }
};

// In w's dtype: steps of `rows` rows of x, each multiplied by w; every y counts as often as `counts` says.
Tensor run(const Tensor& w, const Tensor& b, const std::vector<double>& x, const std::vector<double>& counts,
           int64_t rows, Span span = Span::time_step) {
  Tensor total;
  const auto all = static_cast<int64_t>(x.size()) / in;
  for (int64_t first = 0; first < all; first += rows) {
    const int64_t n = std::min(rows, all - first);
    const auto part = [&](const std::vector<double>& v, int64_t width) {
      const auto from = v.begin() + first * width, to = from + n * width;
      return w.dtype == DType::f32 ? from_host(std::vector<float>(from, to), {n, width})
                                   : from_host(std::vector<double>(from, to), {n, width});
    };
    const Tensor y = sum(mul(linear(part(x, in), w, b, span), part(counts, out)));
    total = total.defined() ? add(total, y) : y;
  }
  return total;
}

std::vector<double> naive(const std::vector<double>& x, const std::vector<double>& counts) {
  std::vector<double> dw(in * out, 0.0);
  for (size_t r = 0; r < x.size() / in; ++r)
    for (size_t i = 0; i < in; ++i)
      for (size_t j = 0; j < out; ++j) dw[i * out + j] += x[r * in + i] * counts[r * out + j];
  return dw;
}

}  // namespace

TEST_CASE("the weight of many steps gets the gradient of all, once for each backward") {
  for (const int64_t rows : {1, 64, 600}) {  // of a step: 512 are multiplied at once
    CAPTURE(rows);
    const auto x = normal(1300 * in, 1), counts = normal(1300 * out, 2);
    Tape& tape = Tape::current();
    tape.reset();
    const Weight weight;
    const Tensor y = run(weight.w, weight.b, x, counts, rows);
    tape.backward(y);
    std::vector<double> want = naive(x, counts);
    check_close(weight.gradient(), want, 1e-12);
    tape.backward(y);
    for (double& d : want) d *= 2;
    check_close(weight.gradient(), want, 1e-12);
  }
}

TEST_CASE("a weight that the tape made has its gradient when its own maker asks for it") {
  const auto x = normal(40 * in, 3), counts = normal(40 * out, 4);
  Tape::current().reset();
  const Weight weight;
  Tape::current().backward(run(scale(weight.w, 2), weight.b, x, counts, 4));
  std::vector<double> want = naive(x, counts);
  for (double& d : want) d *= 2;
  check_close(weight.gradient(), want, 1e-12);
}

TEST_CASE("rows without a gradient change no bit of a weight's, nor do threads") {
  const auto gradient = [](Span span, bool padded, int threads_used) {
    set_threads(threads_used);
    std::vector<double> x, counts;
    const auto live_x = normal(700 * in, 5), live_counts = normal(700 * out, 6);
    for (int64_t r = 0; r < 700; ++r) {
      x.insert(x.end(), live_x.begin() + r * in, live_x.begin() + (r + 1) * in);
      counts.insert(counts.end(), live_counts.begin() + r * out, live_counts.begin() + (r + 1) * out);
      if (!padded || r % 3 == 1) continue;
      x.insert(x.end(), in, 1e30);
      counts.insert(counts.end(), out, 0.0);
    }
    Tape::current().reset();
    const Weight weight(DType::f32);  // whose products, unlike those of float64, do not add row after row
    // One step, so that live rows come in the same order in both.
    Tape::current().backward(run(weight.w, weight.b, x, counts, static_cast<int64_t>(x.size()) / in, span));
    return to_host<float>(grad(weight.w));
  };
  const int before = threads();
  for (const Span span : {Span::sequence, Span::time_step}) {
    const auto want = gradient(span, false, 1);
    CHECK(gradient(span, true, 1) == want);
    CHECK(gradient(span, true, 3) == want);
  }
  set_threads(before);
}

TEST_CASE("a backward that failed leaves nothing behind for the next") {
  const auto x = normal(8 * in, 7), counts = normal(8 * out, 8);
  Tape& tape = Tape::current();
  tape.reset();
  const Weight weight;
  const Tensor bad = sum(weight.b);  // recorded first, so that backward comes to it last
  Tensor refused = empty({}, DType::f64);
  tape.record_not_differentiable(refused, {bad}, "a stop");
  const Tensor y = add(run(weight.w, weight.b, x, counts, 4), refused);
  CHECK(message_of([&] { tape.backward(y); }).find("not differentiable") != std::string::npos);
  tape.reset();
  const Weight other;
  tape.backward(run(other.w, other.b, x, counts, 4));
  check_close(other.gradient(), naive(x, counts), 1e-12);
  CHECK(weight.gradient() == std::vector<double>(in * out, 0.0));
}

// Walks the registry: a new op is tested by existing.
#include <functional>

#include "engine/check/gradcheck.h"
#include "engine/core/op_registry.h"
#include "engine/core/random.h"
#include "engine/core/thread_pool.h"
#include "engine/ops/argmax.h"
#include "engine/ops/attention.h"
#include "engine/ops/dropout.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/embedding.h"
#include "engine/ops/gru.h"
#include "engine/ops/last_states.h"
#include "engine/ops/matmul.h"
#include "engine/ops/reduce.h"
#include "engine/ops/softmax.h"
#include "engine/ops/view.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/op_samples.h"

using namespace seqgrad;

namespace {

std::vector<Values> draw_inputs(const OpSample& sample, uint64_t seed) {
  std::vector<Values> all;
  Random random(seed, 0);
  for (const SampleInput& input : sample.inputs) {
    Values v;
    for (int64_t i = 0; i < input.shape.numel(); ++i)
      v.push_back(input.kind == SampleInput::Kind::ids
                      ? static_cast<double>(random.below(static_cast<uint64_t>(input.count)))
                      : input.low + (input.high - input.low) * random.uniform());
    all.push_back(std::move(v));
  }
  return all;
}

template <class T>
std::vector<Tensor> tensors(const OpSample& sample, const std::vector<Values>& values, Device device) {
  std::vector<Tensor> all;
  for (size_t i = 0; i < values.size(); ++i) {
    const SampleInput& input = sample.inputs[i];
    if (input.kind == SampleInput::Kind::ids) {
      all.push_back(from_host(std::vector<int32_t>(values[i].begin(), values[i].end()), input.shape, device));
    } else {
      const Tensor t = from_host(std::vector<T>(values[i].begin(), values[i].end()), input.shape, device);
      all.push_back(input.differentiable ? variable(t) : t);
    }
  }
  return all;
}

template <class T>
Values as_doubles(const Tensor& t) {
  const std::vector<T> v = to_host<T>(t);
  return Values(v.begin(), v.end());
}

// Σ weights·op(inputs), so that every output element matters differently.
Tensor weighted(const OpSample& sample, const std::vector<Tensor>& in, const Values& weights) {
  const Tensor y = sample.call(in);
  return y.dtype == DType::f32
             ? sum(mul(y, from_host(std::vector<float>(weights.begin(), weights.end()), y.shape, y.device)))
             : sum(mul(y, from_host(weights, y.shape, y.device)));
}

Values some_weights(size_t n) {
  Random random(99, 1);
  Values w(n);
  for (double& x : w) x = random.uniform() + 0.5;
  return w;
}

// On every device there is.
void for_each_sample(const std::function<void(const std::string&, const OpSample&, Device)>& f) {
  for (const auto& [name, samples] : op_samples())
    for (const OpSample& sample : samples)
      for (const Device device : test_devices()) {
        CAPTURE(name, sample.label, test_name_of(device));
        f(name, sample, device);
      }
}

}  // namespace

TEST_CASE("the registry holds the ops that the models need") {
  for (const char* name : {"matmul", "linear", "batched_matmul", "tanh", "add", "sum", "softmax", "embedding",
                           "dropout", "gru", "bidirectional_gru", "attention_gru", "last_states", "attention",
                           "additive_attention", "argmax", "reshape", "concat", "slice"})
    CHECK(ops().count(name) == 1);
}

TEST_CASE("every op has samples, and every sample is of an op") {
  for (const auto& [name, op] : ops()) {
    CAPTURE(name);
    CHECK_FALSE(op_samples()[name].empty());
  }
  for (const auto& [name, samples] : op_samples()) {
    CAPTURE(name);
    CHECK(ops().count(name) == 1);
    for (const OpSample& sample : samples) CHECK((sample.call && sample.expected));
  }
}

TEST_CASE("forward agrees with the definition in float64 and float32") {
  for_each_sample([](const std::string&, const OpSample& sample, Device device) {
    Tape::current().reset();
    const auto values = draw_inputs(sample, 5);
    const Values want = sample.expected(values);
    const Values f64 = as_doubles<double>(sample.call(tensors<double>(sample, values, device)));
    const Values f32 = as_doubles<float>(sample.call(tensors<float>(sample, values, device)));
    REQUIRE(f64.size() == want.size());
    REQUIRE(f32.size() == want.size());
    for (size_t i = 0; i < want.size(); ++i) {
      CAPTURE(i, want[i]);
      REQUIRE(std::abs(f64[i] - want[i]) <= 1e-12 * std::max(1.0, std::abs(want[i])));
      REQUIRE(std::abs(f32[i] - want[i]) <= 5e-6 * std::max(1.0, std::abs(want[i])));
    }
  });
}

TEST_CASE("gradients agree with central differences") {
  for_each_sample([](const std::string& op, const OpSample& sample, Device device) {
    if (!sample.differentiable) {
      Tape::current().reset();
      const auto in = tensors<double>(sample, draw_inputs(sample, 5), device);
      REQUIRE_THROWS_WITH(Tape::current().backward(sum(sample.call(in))), op + ": not differentiable");
      return;
    }
    Tape& tape = Tape::current();
    auto values = draw_inputs(sample, 5);
    const Values weights = some_weights(sample.expected(values).size());
    tape.reset();
    auto in = tensors<double>(sample, values, device);
    tape.backward(weighted(sample, in, weights));
    std::vector<Values> gradients;
    for (const Tensor& x : in) gradients.push_back(x.requires_grad() ? as_doubles<double>(grad(x)) : Values{});
    std::vector<GradientClaim> claims;
    for (size_t i = 0; i < in.size(); ++i)
      if (!gradients[i].empty())
        claims.push_back({"input " + std::to_string(i), values[i].data(), gradients[i].data(),
                          static_cast<int64_t>(values[i].size())});
    const auto loss = [&] {
      tape.reset();
      const NoGrad guard;
      return to_host<double>(weighted(sample, tensors<double>(sample, values, device), weights))[0];
    };
    const GradientReport report = check_gradients(loss, claims, device == Device::cpu ? 400 : 4);  // directions there
    INFO(report.where);
    REQUIRE(report.passed());
  });
}

TEST_CASE("a second backward doubles, a fresh one repeats the bits, float32 agrees with float64") {
  for_each_sample([](const std::string&, const OpSample& sample, Device device) {
    if (!sample.differentiable) return;
    Tape& tape = Tape::current();
    const auto values = draw_inputs(sample, 6);
    const Values weights = some_weights(sample.expected(values).size());
    std::vector<Values> runs[3];  // float64, float64 again, float32
    for (int run = 0; run < 3; ++run) {
      tape.reset();
      const auto in = run == 2 ? tensors<float>(sample, values, device) : tensors<double>(sample, values, device);
      const Tensor y = weighted(sample, in, weights);
      tape.backward(y);
      for (const Tensor& x : in)
        if (x.requires_grad()) runs[run].push_back(run == 2 ? as_doubles<float>(grad(x)) : as_doubles<double>(grad(x)));
      if (run != 0) continue;
      tape.backward(y);
      size_t at = 0;
      for (const Tensor& x : in) {
        if (!x.requires_grad()) continue;
        const Values twice = as_doubles<double>(grad(x));
        for (size_t i = 0; i < twice.size(); ++i)
          REQUIRE(std::abs(twice[i] - 2 * runs[0][at][i]) <= 1e-14 * std::max(1.0, std::abs(twice[i])));
        ++at;
      }
    }
    REQUIRE(runs[0] == runs[1]);
    for (size_t k = 0; k < runs[0].size(); ++k)
      for (size_t i = 0; i < runs[0][k].size(); ++i)
        REQUIRE(std::abs(runs[0][k][i] - runs[2][k][i]) <= 2e-5 * std::max(1.0, std::abs(runs[0][k][i])));
  });
}

TEST_CASE("an input that wants no gradient costs the others nothing: their gradients keep their bits") {
  for_each_sample([](const std::string&, const OpSample& sample, Device device) {
    if (!sample.differentiable) return;
    const auto values = draw_inputs(sample, 8);
    const Values weights = some_weights(sample.expected(values).size());
    const auto gradients = [&](size_t without) {
      Tape::current().reset();
      auto in = tensors<double>(sample, values, device);
      if (without < in.size()) in[without] = detach(in[without]);
      const Tensor y = weighted(sample, in, weights);
      std::vector<Values> out(in.size());
      if (!y.requires_grad()) return out;
      Tape::current().backward(y);
      for (size_t i = 0; i < in.size(); ++i)
        if (in[i].requires_grad()) out[i] = as_doubles<double>(grad(in[i]));
      return out;
    };
    const std::vector<Values> all = gradients(values.size());
    for (size_t without = 0; without < all.size(); ++without) {
      CAPTURE(without);
      std::vector<Values> want = all;
      want[without].clear();
      REQUIRE(gradients(without) == want);
    }
  });
}

TEST_CASE("results and gradients have the same bits on any number of threads") {
  for_each_sample([](const std::string&, const OpSample& sample, Device device) {
    if (!sample.differentiable || device != Device::cpu) return;
    const auto values = draw_inputs(sample, 7);
    const Values weights = some_weights(sample.expected(values).size());
    std::vector<std::vector<float>> first;
    for (const int n : {1, 2, 3}) {
      set_threads(n);
      Tape::current().reset();
      const auto in = tensors<float>(sample, values, device);
      const Tensor y = weighted(sample, in, weights);
      Tape::current().backward(y);
      std::vector<std::vector<float>> got{to_host<float>(y)};
      for (const Tensor& x : in)
        if (x.requires_grad()) got.push_back(to_host<float>(grad(x)));
      if (n == 1) first = got;
      REQUIRE(got == first);
    }
    set_threads(1);
  });
}

TEST_CASE("fast float functions stay within 3 ulp of the exact ones, exp within 2, on the whole range") {
  const auto ulps = [](double got, double want) {
    const float w = static_cast<float>(want);
    const double ulp = static_cast<double>(std::nextafter(std::abs(w), INFINITY)) - static_cast<double>(std::abs(w));
    return std::abs(got - want) / ulp;
  };
  double exp_worst = 0, tanh_worst = 0, sigmoid_worst = 0;
  for (int i = -870000; i <= 887000; ++i) {
    const float x = static_cast<float>(i) * 1e-4f;
    exp_worst = std::max(exp_worst, ulps(fast_exp(x), std::exp(static_cast<double>(x))));
    tanh_worst = std::max(tanh_worst, ulps(fast_tanh(x), std::tanh(static_cast<double>(x))));
    sigmoid_worst = std::max(sigmoid_worst, ulps(fast_sigmoid(x), 1 / (1 + std::exp(-static_cast<double>(x)))));
  }
  CAPTURE(exp_worst, tanh_worst, sigmoid_worst);
  CHECK(exp_worst <= 2);
  CHECK(tanh_worst <= 3);
  CHECK(sigmoid_worst <= 3);
  CHECK(fast_exp(-INFINITY) == 0);
  CHECK(fast_exp(INFINITY) == INFINITY);
  CHECK(fast_exp(0.0f) == 1);
  CHECK(std::isnan(fast_exp(NAN)));
  CHECK(std::isnan(fast_tanh(NAN)));
  CHECK(fast_tanh(INFINITY) == 1);
  CHECK(fast_sigmoid(-INFINITY) == 0);
}

TEST_CASE("dropout draws the same mask for a sentence whatever the batch, and keeps the expected share") {
  Tape::current().reset();
  const Tensor ones = from_host(std::vector<float>(64 * 10 * 32, 1.0f), {64, 10, 32});
  const auto whole = to_host<float>(dropout(ones, 0.25, {5, 9, 0}, {2}));
  const Tensor part = from_host(std::vector<float>(16 * 10 * 32, 1.0f), {16, 10, 32});
  for (uint32_t i = 0; i < 4; ++i) {
    const auto quarter = to_host<float>(dropout(part, 0.25, {5, 9, 16 * i}, {2}));
    REQUIRE(std::equal(quarter.begin(), quarter.end(), whole.begin() + i * 16 * 10 * 32));
  }
  const auto dropped =
      static_cast<double>(std::count(whole.begin(), whole.end(), 0.0f)) / static_cast<double>(whole.size());
  CHECK(std::abs(dropped - 0.25) < 0.01);
  CHECK(to_host<float>(dropout(ones, 0.25, {5, 10, 0}, {2})) != whole);
  CHECK(to_host<float>(dropout(ones, 0.25, {5, 9, 0}, {3})) != whole);
  CHECK(to_host<float>(dropout(ones, 0.25, {6, 9, 0}, {2})) != whole);
}

TEST_CASE("a softmax without a distribution is NaN as a whole row, and only that row") {
  Tape::current().reset();
  const double inf = INFINITY;
  for (const auto& [a, b] : {std::pair{inf, 0.0}, {-inf, -inf}, {double{NAN}, 1.0}, {1.0, double{NAN}}}) {
    CAPTURE(a, b);
    const Tensor x = from_host(std::vector<double>{1, 1, a, b, -inf, 2}, {3, 2});
    const std::vector<double> p = to_host<double>(softmax(x)), l = to_host<double>(log_softmax(x));
    CHECK((std::isnan(p[2]) && std::isnan(p[3]) && std::isnan(l[2]) && std::isnan(l[3])));
    CHECK((p[0] == 0.5 && p[1] == 0.5 && p[4] == 0 && p[5] == 1));
    CHECK((l[4] == -inf && l[5] == 0));
  }
}

TEST_CASE("argmax takes the first of equal maxima, passes over NaN, and leaves what is given") {
  constexpr int64_t classes = 600;  // more than a block of a GPU has threads
  std::vector<float> x(5 * classes, 0.0f);
  const auto set = [&](int64_t row, int64_t v, float value) { x[static_cast<size_t>(row * classes + v)] = value; };
  set(0, 590, 3), set(0, 7, 3), set(0, 300, 3);
  set(1, 1, 9), set(1, 40, NAN), set(1, 41, 2);  // class 1 is before the first that counts
  std::fill_n(x.begin() + 2 * classes, classes, -INFINITY);
  std::fill_n(x.begin() + 3 * classes, classes, NAN);
  for (const Device device : test_devices()) {
    CAPTURE(test_name_of(device));
    Tape::current().reset();
    const Tensor logits = from_host(x, {5, classes}, device),
                 given = from_host(std::vector<int32_t>{-1, -1, -1, -1, 4}, {5}, device);
    CHECK(to_host<int32_t>(argmax(logits, 3, given)) == std::vector<int32_t>{7, 41, 3, 3, 4});
    CHECK(to_host<int32_t>(argmax(logits, 3)) == std::vector<int32_t>{7, 41, 3, 3, 3});
  }
}

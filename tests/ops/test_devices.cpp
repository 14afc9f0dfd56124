// The GPU's kernels against the CPU's on shapes larger than a block, a warp or a tile of theirs.
#include <cmath>
#include <functional>

#include "engine/core/random.h"
#include "engine/device/gemm.h"
#include "engine/nn/parameters.h"
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
#include "engine/optim/optimizer.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"

using namespace seqgrad;

namespace {

template <class T>
Tensor draw(Random& random, Shape shape, Device device) {
  std::vector<T> x(static_cast<size_t>(shape.numel()));
  for (T& v : x) v = static_cast<T>(2 * random.uniform() - 1);
  return variable(from_host(x, shape, device));
}
Tensor draw_ids(Random& random, Shape shape, uint64_t count, Device device) {
  std::vector<int32_t> x(static_cast<size_t>(shape.numel()));
  for (auto& v : x) v = static_cast<int32_t>(random.below(count));
  return from_host(x, shape, device);
}

// `call` draws its inputs on a device, appends those that want a gradient, and gives the result.
using Call = std::function<Tensor(Random&, Device, std::vector<Tensor>&)>;

template <class T>
std::vector<std::vector<T>> run(const Call& call, Device device) {
  Tape::current().reset();
  Random random(77, 0);
  std::vector<Tensor> inputs;
  const Tensor y = call(random, device, inputs);
  Tape::current().backward(sum(square(y)));
  std::vector<std::vector<T>> out{to_host<T>(y)};
  for (const Tensor& x : inputs) out.push_back(to_host<T>(grad(x)));
  return out;
}

template <class T>
void compare(const char* name, const Call& call, double tolerance) {
  const auto want = run<T>(call, Device::cpu), got = run<T>(call, Device::cuda), again = run<T>(call, Device::cuda);
  CAPTURE(name, sizeof(T));
  REQUIRE(got == again);
  for (size_t k = 0; k < want.size(); ++k) {
    double largest = 0;
    for (const T x : want[k]) largest = std::max(largest, std::abs(static_cast<double>(x)));
    for (size_t i = 0; i < want[k].size(); ++i) {
      CAPTURE(k, i, want[k][i], got[k][i]);
      REQUIRE(std::abs(static_cast<double>(got[k][i] - want[k][i])) <= tolerance * std::max(1.0, largest));
    }
  }
}

template <class T>
void compare_all(double tolerance) {
  const auto add = [](std::vector<Tensor>& inputs, Tensor x) {
    inputs.push_back(x);
    return x;
  };
  compare<T>(
      "softmax",
      [&](Random& r, Device d, auto& in) {
        return softmax(add(in, draw<T>(r, {3, 2000}, d)), draw_ids(r, {3}, 2001, d));
      },
      tolerance);
  compare<T>(
      "log_softmax",
      [&](Random& r, Device d, auto& in) {
        return log_softmax(add(in, draw<T>(r, {2, 700}, d)));
      },
      tolerance);
  compare<T>(
      "linear",
      [&](Random& r, Device d, auto& in) {
        const Tensor x = add(in, draw<T>(r, {600, 9}, d)), w = add(in, draw<T>(r, {9, 70}, d));
        return linear(x, w, add(in, draw<T>(r, {70}, d)));
      },
      tolerance);
  compare<T>(
      "add",
      [&](Random& r, Device d, auto& in) {
        const Tensor a = add(in, draw<T>(r, {5, 300}, d));
        return seqgrad::add(a, add(in, draw<T>(r, {300}, d)));
      },
      tolerance);
  compare<T>(
      "embedding",
      [&](Random& r, Device d, auto& in) {
        const Tensor ids = draw_ids(r, {300}, 17, d);
        return embedding(ids, add(in, draw<T>(r, {17, 140}, d)), 0);
      },
      tolerance);
  compare<T>(
      "dropout",
      [&](Random& r, Device d, auto& in) {
        return dropout(add(in, draw<T>(r, {7, 5, 66}, d)), 0.4, {1, 3, 4}, {2, 5});
      },
      tolerance);
  for (const bool reverse : {false, true})
    compare<T>(
        "gru",
        [&](Random& r, Device d, auto& in) {
          const Tensor gx = add(in, draw<T>(r, {9, 6, 3 * 40}, d)), w = add(in, draw<T>(r, {40, 120}, d)),
                       b = add(in, draw<T>(r, {120}, d)), h0 = add(in, draw<T>(r, {9, 40}, d));
          return gru(gx, w, b, h0, draw_ids(r, {9}, 7, d), reverse);
        },
        tolerance);
  compare<T>(
      "attention",
      [&](Random& r, Device d, auto& in) {
        const Tensor q = add(in, draw<T>(r, {3, 4, 70}, d)), keys = add(in, draw<T>(r, {3, 40, 70}, d)),
                     values = add(in, draw<T>(r, {3, 40, 300}, d));
        return attention(q, keys, values, draw_ids(r, {3}, 41, d));
      },
      tolerance);
  compare<T>(
      "additive_attention",
      [&](Random& r, Device d, auto& in) {
        const Tensor q = add(in, draw<T>(r, {3, 300}, d)), keys = add(in, draw<T>(r, {3, 40, 300}, d)),
                     v = add(in, draw<T>(r, {300}, d)), values = add(in, draw<T>(r, {3, 40, 70}, d));
        return additive_attention(q, keys, v, values, draw_ids(r, {3}, 41, d));
      },
      tolerance);
  for (const bool back_first : {false, true})  // in memory, so that products have strides of either sign
    compare<T>(
        "bidirectional_gru",
        [&](Random& r, Device d, auto& in) {
          const auto direction = [&]() -> GruDirection {
            const Tensor gx = add(in, draw<T>(r, {9, 6, 3 * 40}, d)), w = add(in, draw<T>(r, {40, 120}, d));
            return {gx, w, add(in, draw<T>(r, {120}, d)), {}};
          };
          const GruDirection one = direction(), other = direction();
          const Tensor lengths = draw_ids(r, {9}, 7, d);
          return back_first ? bidirectional_gru(other, one, lengths) : bidirectional_gru(one, other, lengths);
        },
        tolerance);
  compare<T>(
      "last_states",
      [&](Random& r, Device d, auto& in) {
        return last_states(add(in, draw<T>(r, {5, 4, 130}, d)), draw_ids(r, {5}, 5, d), 2);
      },
      tolerance);
  compare<T>(
      "batched_matmul",
      [&](Random& r, Device d, auto& in) {
        const Tensor a = add(in, draw<T>(r, {3, 70, 40}, d));
        return batched_matmul(a, add(in, draw<T>(r, {3, 40, 50}, d)));
      },
      tolerance);
}

}  // namespace

TEST_CASE("the GPU's kernels agree with the CPU's on larger shapes, with the same bits in every run") {
  compare_all<double>(1e-13);
  compare_all<float>(1e-5);
}

TEST_CASE("tf32 and bf16 round the operands of products on the GPU and nothing else") {
  const auto product = [](bool batched, Device device, MatmulPrecision precision) {
    Tape::current().reset();
    Random random(8, 0);
    const Tensor a = draw<float>(random, {40, 300}, device), b = draw<float>(random, {300, 20}, device);
    set_matmul_precision(precision, device);
    const auto y = to_host<float>(
        softmax(batched ? batched_matmul(reshape(a, {2, 20, 300}), reshape(b, {2, 300, 10})) : matmul(a, b)));
    set_matmul_precision(MatmulPrecision::fp32);
    return y;
  };
  for (const bool batched : {false, true}) {
    CAPTURE(batched);
    const auto full = product(batched, Device::cpu, MatmulPrecision::fp32);
    const auto worst = [&](MatmulPrecision precision) {
      const auto y = product(batched, Device::cuda, precision);
      CHECK(product(batched, Device::cuda, precision) == y);
      double largest = 0;
      for (size_t i = 0; i < full.size(); ++i)
        largest = std::max(largest, std::abs(static_cast<double>(y[i] - full[i])));
      return largest;
    };
    CHECK(product(batched, Device::cpu, MatmulPrecision::tf32) == full);
    const double fp32 = worst(MatmulPrecision::fp32), tf32 = worst(MatmulPrecision::tf32),
                 bf16 = worst(MatmulPrecision::bf16);
    CHECK(fp32 < 1e-5);
    CHECK(tf32 > 1e-5);
    CHECK(tf32 < 2e-2);
    CHECK(bf16 > 2 * tf32);  // three bits fewer
    CHECK(bf16 < 2e-1);
  }
}

TEST_CASE("a batched product reaches operands in any order, and adds where it is asked to") {
  for (const Device device : test_devices()) {
    CAPTURE(test_name_of(device));
    Tape::current().reset();
    const auto of = [&](std::vector<double> x) {
      const auto n = static_cast<int64_t>(x.size());
      return from_host(x, {n}, device);
    };
    for (const auto& [stride_a, stride_b] : {std::pair{2, 2}, {0, 2}, {2, 0}, {1, 1}, {-2, 2}, {2, -2}, {-1, -1}})
      for (const double beta : {0.0, 1.0}) {
        CAPTURE(stride_a, stride_b, beta);
        const std::vector<double> a{1, 2, 3, 4, 5, 6}, b{7, 8, 9, 10, 11, 12};
        const Tensor ta = of(a), tb = of(b), c = of({100, 200, 300});
        const int64_t a0 = stride_a < 0 ? 4 : 0, b0 = stride_b < 0 ? 4 : 0;
        kernels::gemm<double>(device, {Matrix{ta.as<double>() + a0, 1, 2},
                                       Matrix{tb.as<double>() + b0, 2, 1},
                                       Matrix{c.as<double>(), 1, 1},
                                       beta == 1,
                                       {3, stride_a, stride_b, 1}});
        std::vector<double> want;
        for (int i = 0; i < 3; ++i) {
          const auto x = static_cast<size_t>(a0 + i * stride_a), y = static_cast<size_t>(b0 + i * stride_b);
          want.push_back(100 * (i + 1) * beta + a[x] * b[y] + a[x + 1] * b[y + 1]);
        }
        CHECK(to_host<double>(c) == want);
      }
  }
}

TEST_CASE("padding of keys, values and steps is never read on the GPU") {
  const auto run = [](float padding) {
    Tape::current().reset();
    Random random(3, 0);
    const auto poisoned = [&](Shape shape, int64_t length, int64_t width) {
      std::vector<float> x(static_cast<size_t>(shape.numel()));
      for (size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<int64_t>(i) / width % shape[1] < length ? static_cast<float>(random.uniform()) : padding;
      return variable(from_host(x, shape, Device::cuda));
    };
    const Tensor lengths = from_host(std::vector<int32_t>{3, 3}, {2}, Device::cuda);
    const Tensor q = poisoned({2, 2, 5}, 2, 5), keys = poisoned({2, 6, 5}, 3, 5), values = poisoned({2, 6, 4}, 3, 4);
    const Tensor gx = poisoned({2, 6, 12}, 3, 12), w = poisoned({4, 12}, 12, 12), b = poisoned({1, 12}, 1, 12),
                 h0 = poisoned({2, 4}, 4, 4);
    const GruDirection ahead{gx, w, reshape(b, {12}), h0}, back{poisoned({2, 6, 12}, 3, 12), w, ahead.b_hh, {}};
    const Tensor y = add(sum(attention(q, keys, values, lengths)), sum(bidirectional_gru(ahead, back, lengths)));
    Tape::current().backward(y);
    std::vector<std::vector<float>> out{to_host<float>(y)};
    for (const Tensor& x : {q, keys, values, gx, back.gx, w, b, h0}) out.push_back(to_host<float>(grad(x)));
    return out;
  };
  CHECK(run(0) == run(NAN));
}

TEST_CASE("the optimisers and the norm of gradients agree between devices") {
  constexpr int64_t n = 70000;
  Random random(12, 0);
  std::vector<double> x(n), g(n);
  for (auto* v : {&x, &g})
    for (double& e : *v) e = 2 * random.uniform() - 1;
  for (const auto& [name, optimizer] : optimizers())
    for (const double momentum : {0.0, 0.9}) {
      CAPTURE(name, momentum);
      std::vector<double> results[2];
      double norms[2];
      for (const Device device : test_devices()) {
        ParameterStore store(DType::f64, device);
        const Parameter& p = store.add("x", {n}, Init::zeros());
        store.allocate(1);
        store.from_file(p, store.values(), x.data());
        for (int64_t step = 1; step <= 3; ++step) {
          store.from_file(p, store.grads(), g.data());
          norms[static_cast<int>(device)] = grad_norm(store);
          scale_grads(store, 0.5);
          OptimOptions o;
          o.weight_decay = 0.01, o.momentum = momentum;
          optimizer(store, o, step);
        }
        results[static_cast<int>(device)] = store.to_file<double>(p, store.values());
      }
      CHECK(std::abs(norms[0] - norms[1]) <= 1e-13 * norms[0]);
      for (size_t i = 0; i < results[0].size(); ++i)
        REQUIRE(std::abs(results[0][i] - results[1][i]) <= 1e-14 * std::max(1.0, std::abs(results[0][i])));
    }
}

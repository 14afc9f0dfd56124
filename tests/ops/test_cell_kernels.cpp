// The vector kernels of cells and attention against the plain loops in float64, for every instruction set that this CPU
// has: values, what they add to, edges, and numbers that are none.
#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "engine/core/isa.h"
#include "engine/core/random.h"
#include "engine/ops/cell_kernels.h"
#include "tests/support/catch.h"

using namespace seqgrad;

namespace {

constexpr uint64_t seed = 20261201;
constexpr int64_t keys = 6;
constexpr float end = -7;  // behind each vector that is written: it must stay
const int64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 70, 129, 200};
const float not_a_number = std::bit_cast<float>(0x7fc00001u);  // arithmetic with its bits, as exp does, could lose it
const float infinity = std::numeric_limits<float>::infinity();

using Floats = std::vector<float>;
using Doubles = std::vector<double>;
const CellKernels<double>& exact = *all_cell_kernels<double>().front();

Doubles wide(const Floats& x) { return {x.begin(), x.end()}; }

// With `end` behind them.
Floats normal(int64_t n, Random& random, double scale = 1) {
  Floats x;
  for (int64_t i = 0; i < n; ++i) x.push_back(static_cast<float>(scale * random.normal()));
  x.push_back(end);
  return x;
}

// Whether all numbers of `got` differ from those of `want` by no more than `bound`.
bool near(const Floats& got, const Doubles& want, double bound) {
  bool good = got.size() == want.size() && got.back() == end;
  for (size_t i = 0; i < got.size(); ++i) good &= std::abs(static_cast<double>(got[i]) - want[i]) <= bound;
  return good;
}

double sum_of_sizes(const Floats& x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::abs(static_cast<double>(x[static_cast<size_t>(i)]));
  return sum;
}

void for_each_kernel(uint64_t stream, const std::function<void(const CellKernels<float>&, Random&)>& f) {
  for (const CellKernels<float>* kernels : all_cell_kernels<float>()) {
    INFO("instruction set " << kernels->isa << ", seed " << seed);
    Random random(seed, stream);
    f(*kernels, random);
  }
}
void for_each_size(uint64_t stream, const std::function<void(const CellKernels<float>&, Random&, int64_t)>& f) {
  for_each_kernel(stream, [&](const CellKernels<float>& kernels, Random& random) {
    for (const int64_t n : sizes) {
      INFO("n " << n);
      f(kernels, random, n);
    }
  });
}

// Like additive_scores_grad: what it adds to the gradients of q, of the keys and of v.
template <class T>
struct ScoreGradients {
  std::vector<T> dq, dkeys, dv;
};

}  // namespace

TEST_CASE("the plain kernels come first, then the instruction sets that this CPU has, and the last is taken",
          "[cell_kernels]") {
  std::vector<std::string> want = {"plain", "base"}, got;
  if (isa() >= Isa::avx2) want.emplace_back("avx2");
  if (isa() >= Isa::avx512) want.emplace_back("avx512");
  for (const CellKernels<float>* kernels : all_cell_kernels<float>()) got.emplace_back(kernels->isa);
  CHECK(got == want);
  CHECK(cell_kernels<float>().isa == want.back());
}

TEST_CASE("a cell is that of float64 on every instruction set, also where its state is overwritten", "[cell_kernels]") {
  for_each_size(0, [](const CellKernels<float>& kernels, Random& random, int64_t n) {
    const double scale = std::pow(10.0, 3 * random.uniform() - 1);  // up to gates that are 0 and 1
    const Floats gx = normal(3 * n, random, scale), gh = normal(3 * n, random), bias = normal(3 * n, random),
                 h_prev = normal(n, random);
    Floats h(h_prev.size(), end), saved(static_cast<size_t>(4 * n) + 1, end);
    kernels.gru_cell(gx.data(), gh.data(), bias.data(), h_prev.data(), h.data(), saved.data(), n);
    Doubles want_h = wide(h), want_saved = wide(saved);
    exact.gru_cell(wide(gx).data(), wide(gh).data(), wide(bias).data(), wide(h_prev).data(), want_h.data(),
                   want_saved.data(), n);
    CHECK(near(saved, want_saved, 1e-6));
    CHECK(near(h, want_h, 3e-6));
    Floats in_place = h_prev;
    kernels.gru_cell(gx.data(), gh.data(), bias.data(), in_place.data(), in_place.data(), saved.data(), n);
    CHECK(in_place == h);

    Floats dh = normal(n, random), dgx(static_cast<size_t>(3 * n) + 1, end), dgh = dgx;
    const Floats dy = normal(n, random);
    Doubles want_dh = wide(dh), want_dgx = wide(dgx), want_dgh = wide(dgh);
    exact.gru_cell_grad(wide(saved).data(), wide(h_prev).data(), want_dh.data(), wide(dy).data(), want_dgx.data(),
                        want_dgh.data(), n);
    kernels.gru_cell_grad(saved.data(), h_prev.data(), dh.data(), dy.data(), dgx.data(), dgh.data(), n);
    CHECK(near(dh, want_dh, 1e-5));
    CHECK(near(dgx, want_dgx, 1e-5));
    CHECK(near(dgh, want_dgh, 1e-5));

    const Floats nothing(static_cast<size_t>(n), 0.0f);
    dh = nothing;
    kernels.gru_cell_grad(saved.data(), h_prev.data(), dh.data(), nothing.data(), dgx.data(), dgh.data(), n);
    CHECK(std::count_if(dgx.begin(), dgx.end() - 1, [](float d) { return d != 0 || std::signbit(d); }) == 0);
  });
}

TEST_CASE("scores and their gradients are those of float64, by tanh and by exponentials", "[cell_kernels]") {
  for_each_size(1, [](const CellKernels<float>& kernels, Random& random, int64_t n) {
    const double scale = std::pow(10.0, 1.5 * random.uniform() - 1);  // up to some that tanh takes to 1
    Floats q = normal(n, random, scale), of_keys = normal(keys * n, random, scale);
    for (Floats* x : {&q, &of_keys})
      for (float& number : *x) number = std::clamp(number, -21.5f, 21.5f);
    const Floats v = normal(n, random), dscores = normal(keys, random), start = normal(keys * n, random);
    const double bound = 4e-7 * (sum_of_sizes(v, n) + 1);

    Floats eq(q.size(), end), ekeys(of_keys.size(), end), scores(keys + 1, end), by_exponentials = scores;
    REQUIRE(kernels.double_exponentials(q.data(), eq.data(), n));
    REQUIRE(kernels.double_exponentials(of_keys.data(), ekeys.data(), keys * n));
    Doubles want_scores = wide(scores);
    const Doubles wide_q = wide(q), wide_keys = wide(of_keys), wide_v = wide(v);
    exact.additive_scores(wide_q.data(), {wide_keys.data(), keys, n}, wide_v.data(), n, want_scores.data());
    kernels.additive_scores(q.data(), {of_keys.data(), keys, n}, v.data(), n, scores.data());
    kernels.scores_of_exponentials(eq.data(), {ekeys.data(), keys, n}, v.data(), n, by_exponentials.data());
    CHECK(near(scores, want_scores, bound));
    CHECK(near(by_exponentials, want_scores, bound));

    const auto gradients = [&]<class T>(const CellKernels<T>& of, const std::vector<T>& a, const std::vector<T>& b,
                                        bool exponentials) {
      const std::vector<T> vs(v.begin(), v.end()), ds(dscores.begin(), dscores.end()), s(start.begin(), start.end());
      ScoreGradients<T> out{std::vector<T>(s.end() - n - 1, s.end()), s, std::vector<T>(s.end() - n - 1, s.end())};
      (exponentials ? of.scores_of_exponentials_grad : of.additive_scores_grad)(
          a.data(), {b.data(), keys, n}, vs.data(), n, ds.data(), out.dq.data(), out.dkeys.data(), out.dv.data());
      return out;
    };
    const auto want = gradients(exact, wide_q, wide_keys, false);
    for (const bool exponentials : {false, true}) {
      const auto got = exponentials ? gradients(kernels, eq, ekeys, true) : gradients(kernels, q, of_keys, false);
      CHECK(near(got.dq, want.dq, 2e-5));
      CHECK(near(got.dkeys, want.dkeys, 1e-5));
      CHECK(near(got.dv, want.dv, 2e-5));
    }
  });
}

TEST_CASE("exponentials are refused to numbers whose products would leave float32, and to NaN", "[cell_kernels]") {
  for_each_kernel(2, [](const CellKernels<float>& kernels, Random& random) {
    for (const int64_t n : sizes)
      for (const float bad : {21.51f, -21.51f, 1e30f, infinity, -infinity, not_a_number}) {
        Floats x = normal(n, random), e(x.size());
        const size_t at = random.below(static_cast<uint64_t>(n));
        x[at] = bad < 0 ? -21.5f : 21.5f;
        CHECK(kernels.double_exponentials(x.data(), e.data(), n));
        CHECK(std::isnormal(e[at] * e[at]));
        CHECK(std::isnormal(1 / (e[at] * e[at] + 1)));
        x[at] = bad;
        CHECK_FALSE(kernels.double_exponentials(x.data(), e.data(), n));
      }
  });
}

TEST_CASE("a softmax, dots and weighted rows are those of float64", "[cell_kernels]") {
  for_each_size(3, [](const CellKernels<float>& kernels, Random& random, int64_t n) {
    Floats x = normal(n, random, 20);
    if (n > 2) x[random.below(static_cast<uint64_t>(n))] = -infinity;
    Doubles want = wide(x);
    exact.softmax(want.data(), n);
    kernels.softmax(x.data(), n);
    CHECK(near(x, want, 1e-6));

    const Floats y = normal(n, random), rows = normal(keys * (n + 3), random), weights = normal(keys, random);
    const Doubles wide_y = wide(y), wide_rows = wide(rows), wide_weights = wide(weights);
    for (int64_t count = 0; count <= keys; ++count) {
      Floats dots = weights, sum = y;
      Doubles want_dots = wide_weights, want_sum = wide_y;
      kernels.add_dots(y.data(), {rows.data(), count, n + 3}, n, dots.data());
      exact.add_dots(wide_y.data(), {wide_rows.data(), count, n + 3}, n, want_dots.data());
      CHECK(near(dots, want_dots, 1e-6 * static_cast<double>(n + 10)));
      kernels.add_rows(weights.data(), {rows.data(), count, n + 3}, n, sum.data());
      exact.add_rows(wide_weights.data(), {wide_rows.data(), count, n + 3}, n, want_sum.data());
      CHECK(near(sum, want_sum, 1e-5));
    }
  });
}

TEST_CASE("NaN and infinity stay what they are, where they are", "[cell_kernels]") {
  for_each_size(4, [](const CellKernels<float>& kernels, Random& random, int64_t n) {
    const auto at = random.below(static_cast<uint64_t>(n));
    const Floats gh = normal(3 * n, random), bias = normal(3 * n, random), h_prev = normal(n, random);
    for (const uint64_t gate : {0, 1, 2})
      for (const float bad : {not_a_number, infinity, -infinity}) {
        Floats gx = normal(3 * n, random), h(h_prev.size(), end), saved(static_cast<size_t>(4 * n) + 1);
        gx[gate * static_cast<uint64_t>(n) + at] = bad;
        kernels.gru_cell(gx.data(), gh.data(), bias.data(), h_prev.data(), h.data(), saved.data(), n);
        bool good = true;
        for (size_t i = 0; i < h.size(); ++i) good &= std::isnan(h[i]) == (std::isnan(bad) && i == at);
        CHECK(good);
        const float limit = bad > 0 ? 1.0f : gate == 2 ? -1.0f : 0.0f;
        if (!std::isnan(bad)) CHECK(std::abs(saved[gate * static_cast<uint64_t>(n) + at] - limit) < 1e-30f);
      }
    Floats of_keys = normal(keys * n, random), scores(keys + 1, end);
    of_keys[2 * static_cast<uint64_t>(n) + at] = not_a_number;
    const Floats q = normal(n, random), v = normal(n, random);
    kernels.additive_scores(q.data(), {of_keys.data(), keys, n}, v.data(), n, scores.data());
    for (size_t k = 0; k < scores.size(); ++k) CHECK(std::isnan(scores[k]) == (k == 2));
    Floats x = normal(n, random);
    x[at] = not_a_number;
    kernels.softmax(x.data(), n);
    for (int64_t i = 0; i < n; ++i) CHECK(std::isnan(x[static_cast<size_t>(i)]));
    CHECK(x.back() == end);
  });
}

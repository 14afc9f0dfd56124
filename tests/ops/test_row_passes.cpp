// The vector kernels of a row against the plain loops that say what they compute, for every instruction set this CPU
// has: values, sums, edges, and that a number's place in the row never matters.
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "engine/core/isa.h"
#include "engine/core/random.h"
#include "engine/ops/row_passes.h"
#include "tests/support/catch.h"

using namespace seqgrad;

namespace {

constexpr uint64_t seed = 20240611;
const int64_t sizes[] = {1, 2, 3, 7, 15, 16, 17, 31, 33, 63, 64, 65, 100, 255, 257, 1000, 1023, 1025, 4097, 32003};

// Logits with ties at the maximum, far tails and a −inf now and then, or hardly ever: a kernel may go another way where
// many numbers have neither.
template <class T>
std::vector<T> row_of(int64_t n, Random& random) {
  std::vector<T> x(static_cast<size_t>(n));
  const double scale = std::pow(10.0, 3 * random.uniform() - 1);
  const uint64_t rarity = random.below(2) == 0 ? 50 : 2000;
  for (T& v : x) {
    v = static_cast<T>(scale * random.normal());
    if (random.below(rarity) == 0) v = static_cast<T>(4 * scale);
    if (random.below(rarity) == 0) v = -std::numeric_limits<T>::infinity();
  }
  x[random.below(static_cast<uint64_t>(n))] = static_cast<T>(4 * scale);
  return x;
}

// Weights of classes: none at every third, where the row may be −inf.
template <class T>
std::vector<T> weights_for(std::vector<T>& x, Random& random) {
  std::vector<T> weights;
  for (size_t i = 0; i < x.size(); ++i) {
    weights.push_back(i % 3 == 0 ? T{0} : static_cast<T>(random.uniform()));
    if (weights.back() != 0 && std::isinf(x[i])) x[i] = T{0};
  }
  return weights;
}

template <class T>
bool close(T got, double want, double relative, double absolute = 0) {
  if (!(std::abs(want) < std::numeric_limits<double>::infinity())) return static_cast<double>(got) == want;
  return std::abs(static_cast<double>(got) - want) <= relative * std::abs(want) + absolute;
}

}  // namespace

TEMPLATE_TEST_CASE("the plain loops come first, then the instruction sets that this CPU has, and the last is taken",
                   "[row_passes]", float, double) {
  std::vector<std::string> want = {"plain", "base"}, got;
  if (isa() >= Isa::avx2) want.emplace_back("avx2");
  if (isa() >= Isa::avx512) want.emplace_back("avx512");
  for (const RowPasses<TestType>* passes : all_row_passes<TestType>()) got.emplace_back(passes->isa);
  CHECK(got == want);
  CHECK(row_passes<TestType>().isa == want.back());
}

TEMPLATE_TEST_CASE("the passes over a row are the plain loops on every instruction set", "[row_passes]", float,
                   double) {
  using T = TestType;
  constexpr bool single = sizeof(T) == 4;
  const double ulp = single ? 6e-8 : 1.2e-16;
  const RowPasses<T>& plain = *all_row_passes<T>().front();
  const RowPasses<double>& oracle = *all_row_passes<double>().front();
  REQUIRE(all_row_passes<T>().size() >= 2);
  for (const RowPasses<T>* passes : all_row_passes<T>()) {
    INFO("instruction set " << passes->isa << ", seed " << seed);
    Random random(seed, 0);
    for (const int64_t n : sizes) {
      INFO("n " << n);
      std::vector<T> x = row_of<T>(n, random), bias = row_of<T>(n, random);
      const std::vector<T> weights = weights_for(x, random);
      const T top = passes->maximum_of(x.data(), n);
      REQUIRE(top == plain.maximum_of(x.data(), n));

      std::vector<T> sum = x, plain_sum = x;
      const T biased = passes->maximum(sum.data(), bias.data(), n, x.data());
      REQUIRE(biased == plain.maximum(plain_sum.data(), bias.data(), n, nullptr));
      REQUIRE(sum == plain_sum);

      std::vector<T> e(static_cast<size_t>(n) + 1, T{-7}), in_place = x;  // the last must stay
      const ExpSums s = passes->exponentials(x.data(), top, e.data(), n, Distance::plain, nullptr, x.data()),
                    weighted =
                        passes->exponentials(x.data(), top, e.data(), n, Distance::weighted, weights.data(), nullptr),
                    again = passes->exponentials(in_place.data(), top, in_place.data(), n, Distance::none, nullptr,
                                                 nullptr);
      std::vector<double> wide;  // a − top as T rounds it, so that the rest of a kernel is held to float64
      for (const T a : x) wide.push_back(-static_cast<double>(top - a));
      std::vector<double> want(static_cast<size_t>(n));
      const std::vector<double> wide_weights(weights.begin(), weights.end());
      const ExpSums w = oracle.exponentials(wide.data(), 0, want.data(), n, Distance::plain, nullptr, nullptr),
                    u = oracle.exponentials(wide.data(), 0, want.data(), n, Distance::weighted, wide_weights.data(),
                                            nullptr);
      bool good = true;
      for (size_t i = 0; i < want.size(); ++i)
        good &= close(e[i], want[i], single ? 3e-7 : 0, single ? 1.2e-38 : 0);  // below it a float is 0
      CHECK(good);
      CHECK(std::memcmp(e.data(), in_place.data(), static_cast<size_t>(n) * sizeof(T)) == 0);
      CHECK(e.back() == T{-7});
      CHECK(s.maxima == w.maxima);
      CHECK(again.maxima == w.maxima);
      CHECK(s.tail == again.tail);
      CHECK(s.tail == weighted.tail);
      CHECK(again.distance == 0);
      const double plain_error = static_cast<double>(n) * 1.2e-16;  // of sums in float64, in the order of the row
      CHECK(close(s.tail, w.tail, 8 * ulp + plain_error, single ? 1e-34 : 0));
      CHECK(close(s.distance, w.distance, 8 * ulp + plain_error));
      CHECK(std::isfinite(weighted.distance));
      CHECK(close(weighted.distance, u.distance, 9 * ulp + plain_error));

      const T factor = static_cast<T>(random.normal()), shift = static_cast<T>(random.normal() * 1e-3);
      std::vector<T> scaled = e, plain_scaled = e;
      passes->scale_and_shift(scaled.data(), factor, shift, n, x.data());
      plain.scale_and_shift(plain_scaled.data(), factor, shift, n, nullptr);
      good = true;
      for (size_t i = 0; i < want.size(); ++i)
        good &=
            close(scaled[i], static_cast<double>(plain_scaled[i]), 0, 2 * ulp * (std::abs(factor) + std::abs(shift)));
      CHECK(good);
      CHECK(scaled.back() == T{-7});

      scaled = plain_scaled = e;
      passes->scale_and_subtract(scaled.data(), factor, shift, weights.data(), n, x.data());
      plain.scale_and_subtract(plain_scaled.data(), factor, shift, weights.data(), n, nullptr);
      good = true;
      for (size_t i = 0; i < want.size(); ++i)
        good &=
            close(scaled[i], static_cast<double>(plain_scaled[i]), 0, 2 * ulp * (std::abs(factor) + std::abs(shift)));
      CHECK(good);
      CHECK(scaled.back() == T{-7});
    }
  }
}

TEMPLATE_TEST_CASE("a number's place in a row changes no bit of what becomes of it", "[row_passes]", float, double) {
  using T = TestType;
  for (const RowPasses<T>* passes : all_row_passes<T>()) {
    INFO("instruction set " << passes->isa << ", seed " << seed);
    Random random(seed, 1);
    const int64_t n = 777;
    const std::vector<T> x = row_of<T>(n, random);
    const T top = passes->maximum_of(x.data(), n);
    std::vector<T> whole(x.size()), one(1);
    passes->exponentials(x.data(), top, whole.data(), n, Distance::none, nullptr, nullptr);
    std::vector<T> moved = whole;
    passes->scale_and_shift(moved.data(), T(0.37), T(1e-4), n, nullptr);
    bool same = true;
    for (size_t i = 0; i < x.size(); ++i) {
      passes->exponentials(&x[i], top, one.data(), 1, Distance::plain, nullptr, nullptr);
      same &= one[0] == whole[i];
      passes->scale_and_shift(one.data(), T(0.37), T(1e-4), 1, nullptr);
      same &= one[0] == moved[i];
    }
    CHECK(same);
  }
}

TEMPLATE_TEST_CASE("weights are made as the plain loops make them, and none that is not 0 becomes 0", "[row_passes]",
                   float, double) {
  using T = TestType;
  const RowPasses<T>& plain = *all_row_passes<T>().front();
  const double tiny = sizeof(T) == 4 ? 1e-60 : 1e-310;
  for (const RowPasses<T>* passes : all_row_passes<T>()) {
    INFO("instruction set " << passes->isa << ", seed " << seed);
    Random random(seed, 2);
    for (const int64_t n : sizes) {
      INFO("n " << n);
      const auto table = [&] {
        std::vector<double> x;
        for (int64_t i = 0; i < n; ++i) {
          const uint64_t kind = random.below(6);
          x.push_back(kind == 0 ? 0 : kind == 1 ? tiny : kind == 2 ? -tiny : random.normal());
        }
        return x;
      };
      const std::vector<double> q = table(), off = table(), scale = table();
      for (const WeightTables& tables : {WeightTables{q.data()}, WeightTables{q.data(), nullptr, 0.125, 0.5},
                                         WeightTables{q.data(), nullptr, 0, 0.5, off.data()},
                                         WeightTables{q.data(), nullptr, 0, 1, nullptr, scale.data()},
                                         WeightTables{q.data(), nullptr, 0, 0.5, off.data(), scale.data()}}) {
        std::vector<T> got(static_cast<size_t>(n) + 1, T{-7}), want = got;
        CHECK(passes->make_weights(tables, got.data(), n) == plain.make_weights(tables, want.data(), n));
        bool good = got.back() == T{-7};
        for (size_t i = 0; i < q.size(); ++i) {
          const double mixed = (tables.off_row ? off[i] : tables.off) + tables.on * q[i];
          const double exact = tables.scale ? mixed * scale[i] : mixed;
          good &= (got[i] != 0) == (exact != 0) && (got[i] < 0) == (exact < 0);
          good &= close(got[i], static_cast<double>(want[i]), sizeof(T) == 4 ? 1.2e-7 : 1e-15, 1e-15);
        }
        CHECK(good);

        std::vector<float> q_f32(q.begin(), q.end());
        for (float& x : q_f32) x = random.below(6) == 0 ? std::copysign(1e-40f, x) : x;  // subnormal
        const std::vector<double> q_f64(q_f32.begin(), q_f32.end());
        WeightTables of_f32 = tables, of_f64 = tables;
        of_f32.q_f64 = nullptr, of_f32.q_f32 = q_f32.data(), of_f64.q_f64 = q_f64.data();
        CHECK(passes->make_weights(of_f32, got.data(), n) == passes->make_weights(of_f64, want.data(), n));
        CHECK(std::memcmp(got.data(), want.data(), got.size() * sizeof(T)) == 0);
      }
    }
  }
}

TEMPLATE_TEST_CASE("a NaN anywhere in a row is its maximum, and rows of infinities have theirs", "[row_passes]", float,
                   double) {
  using T = TestType;
  constexpr T inf = std::numeric_limits<T>::infinity();
  for (const RowPasses<T>* passes : all_row_passes<T>()) {
    INFO("instruction set " << passes->isa);
    for (const int64_t n : {int64_t{1}, int64_t{5}, int64_t{16}, int64_t{70}, int64_t{131}})
      for (int64_t at = 0; at < n; ++at) {
        std::vector<T> x(static_cast<size_t>(n), T{2});
        x[static_cast<size_t>(at)] = std::numeric_limits<T>::quiet_NaN();
        REQUIRE(std::isnan(passes->maximum_of(x.data(), n)));
        x[static_cast<size_t>(n - 1 - at)] = inf;
        if (n - 1 - at != at) REQUIRE(std::isnan(passes->maximum_of(x.data(), n)));
        x.assign(x.size(), -inf);
        REQUIRE(passes->maximum_of(x.data(), n) == -inf);
        x[static_cast<size_t>(at)] = inf;
        REQUIRE(passes->maximum_of(x.data(), n) == inf);
      }
    CHECK(passes->maximum_of(nullptr, 0) == -inf);
  }
}

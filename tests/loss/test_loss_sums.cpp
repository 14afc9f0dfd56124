// The sum that no order of its terms changes, against integers.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "engine/core/random.h"
#include "engine/loss/order_free_sum.h"
#include "tests/support/loss_helpers.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

constexpr uint64_t seed = 20261128;

bool same_bits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// Integers of up to 44 bits, some far smaller than others, some 0, of either sign or of one.
std::vector<int64_t> integers(Random& random, bool signs) {
  std::vector<int64_t> out(1 + random.below(700));
  const uint64_t spread = 1 + random.below(44);
  for (int64_t& x : out) {
    x = static_cast<int64_t>(random.below(uint64_t{1} << 44) >> random.below(spread));
    if (random.below(8) == 0) x = 0;
    if (signs && random.below(2) == 0) x = -x;
  }
  return out;
}

std::vector<double> scaled(const std::vector<int64_t>& integers, int exponent) {
  std::vector<double> out;
  for (const int64_t x : integers) out.push_back(std::ldexp(static_cast<double>(x), exponent));
  return out;
}

}  // namespace

TEST_CASE("the order-free sum is the exact one, rounded, whatever order and zeros") {
  Random random(seed, 0);
  std::mt19937_64 order(seed);
  for (int round = 0; round < 2000; ++round) {
    const std::vector<int64_t> whole = integers(random, round % 2 == 0);
    const int exponent = round % 5 == 0 ? -1074 : static_cast<int>(random.below(1900)) - 1000;
    std::vector<double> terms = scaled(whole, exponent);
    int64_t exact = 0;  // below 2^54
    for (const int64_t x : whole) exact += x;
    const double sum = order_free_sum(terms), want = std::ldexp(static_cast<double>(exact), exponent);
    CAPTURE(seed, round, whole.size(), exponent, sum, want);
    REQUIRE(sum == want);
    std::shuffle(terms.begin(), terms.end(), order);
    terms.insert(terms.begin() + static_cast<std::ptrdiff_t>(random.below(terms.size())), random.below(9), 0.0);
    REQUIRE(same_bits(order_free_sum(terms), sum));
    if (exponent < -1000) continue;
    for (double& x : terms) x *= 0x1p-20;
    REQUIRE(same_bits(order_free_sum(terms), sum * 0x1p-20));
  }
}

TEST_CASE("the order-free sum of fractions is order-free, and as near as float64 has it") {
  Random random(seed, 1);
  std::mt19937_64 order(seed);
  for (int round = 0; round < 500; ++round) {
    std::vector<double> terms(1 + random.below(3000));
    for (double& x : terms) x = random.normal() * std::exp(4 * random.normal());
    long double exact = 0, size = 0;
    for (const double x : terms) exact += x, size += std::abs(x);
    const double sum = order_free_sum(terms);
    CAPTURE(seed, round, terms.size());
    REQUIRE(std::abs(static_cast<double>(sum - exact)) <=
            0x1p-53 * std::abs(sum) + static_cast<double>(size) * static_cast<double>(terms.size()) * 0x1p-64);
    std::shuffle(terms.begin(), terms.end(), order);
    REQUIRE(same_bits(order_free_sum(terms), sum));
  }
}

TEST_CASE("the order-free sum of NaN, infinities, numbers at the ends of the range and nothing") {
  constexpr double largest = std::numeric_limits<double>::max(), least = std::numeric_limits<double>::denorm_min();
  const auto of = [](const std::vector<double>& terms) { return order_free_sum(terms); };
  CHECK(std::isnan(of({1, NaN, infinity})));
  CHECK(std::isnan(of({infinity, 1, -infinity})));
  CHECK(of({largest, infinity, largest}) == infinity);
  CHECK(of({-infinity, 3}) == -infinity);
  CHECK(of({largest, largest}) == infinity);
  CHECK(of({largest, -largest, largest}) == largest);
  CHECK(of({largest / 4, largest / 4}) == largest / 2);
  CHECK(of({least, -3 * least, least}) == -least);
  CHECK(same_bits(of({}), 0.0));
  CHECK(same_bits(of({-0.0, -0.0}), 0.0));
}

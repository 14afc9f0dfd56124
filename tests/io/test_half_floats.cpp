#include "engine/io/half_floats.h"

#include <bit>
#include <cmath>
#include <limits>

#include "engine/core/random.h"
#include "tests/support/catch.h"

using namespace seqgrad;

namespace {

// The number that a bit pattern of binary16 stands for, by the standard's formula.
double value_of(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double size = exponent == 0 ? fraction * 0x1p-24 : (1 + fraction / 1024.0) * std::exp2(exponent - 15);
  return bits & 0x8000 ? -size : size;
}

}  // namespace

TEST_CASE("every number of 16 bits survives both ways") {
  for (uint32_t bits = 0; bits < 0x10000; ++bits)
    for (const HalfKind kind : {HalfKind::f16, HalfKind::bf16}) {
      const auto half = static_cast<uint16_t>(bits);
      const double x = from_half(half, kind);
      if (std::isnan(x))
        CHECK(std::isnan(from_half(to_half(x, kind), kind)));
      else
        REQUIRE(to_half(x, kind) == half);
      if (kind == HalfKind::bf16 && !std::isnan(x)) REQUIRE(x == double{std::bit_cast<float>(bits << 16)});
      if (kind == HalfKind::f16 && std::isfinite(x)) REQUIRE(x == value_of(half));
    }
}

TEST_CASE("a number goes to the nearest of 16 bits, halves to the even one") {
  CHECK(to_half(1 + 0x1p-11, HalfKind::f16) == 0x3C00);
  CHECK(to_half(1 + 3 * 0x1p-11, HalfKind::f16) == 0x3C02);
  CHECK(to_half(65519.99, HalfKind::f16) == 0x7BFF);
  CHECK(to_half(65520, HalfKind::f16) == 0x7C00);  // infinity
  CHECK(to_half(-0x1p-25, HalfKind::f16) == 0x8000);
  CHECK(to_half(1.0001 * 0x1p-25, HalfKind::f16) == 1);
  CHECK(to_half(-std::numeric_limits<double>::infinity(), HalfKind::bf16) == 0xFF80);
  Random random(3, 0);
  for (int i = 0; i < 20000; ++i) {
    const double x = random.normal() * std::exp2(static_cast<double>(random.below(40)) - 25);
    for (const HalfKind kind : {HalfKind::f16, HalfKind::bf16}) {
      const uint16_t at = to_half(x, kind);
      if (std::isinf(from_half(at, kind))) continue;
      const double distance = std::abs(from_half(at, kind) - x);
      for (const int by : {-1, 1}) {
        const double other = from_half(static_cast<uint16_t>(at + by), kind);
        if (std::isfinite(other) && (other < 0) == (x < 0)) REQUIRE(distance <= std::abs(other - x));
      }
    }
  }
}

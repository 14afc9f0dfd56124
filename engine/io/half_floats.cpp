// Both kinds are a sign, an exponent and a fraction; only their widths differ.
#include "engine/io/half_floats.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace seqgrad {
namespace {

struct Widths {
  int fraction, bias;
  int largest_exponent() const { return 2 * bias + 1; }  // of infinities and NaN
};
Widths widths_of(HalfKind kind) { return kind == HalfKind::f16 ? Widths{10, 15} : Widths{7, 127}; }

}  // namespace

uint16_t to_half(double x, HalfKind kind) {
  const Widths w = widths_of(kind);
  const auto sign = static_cast<uint16_t>(std::signbit(x) ? 0x8000 : 0);
  const auto infinity = static_cast<uint16_t>(w.largest_exponent() << w.fraction);
  if (std::isnan(x)) return static_cast<uint16_t>(infinity | 1 << (w.fraction - 1));
  const double size = std::abs(x);
  if (std::isinf(size)) return sign | infinity;
  if (size == 0) return sign;
  // Subnormal numbers share the unit of the smallest normal ones. Counted in units, a number's bits follow each other
  // from one exponent to the next, so that rounding up carries by itself.
  const int exponent = std::max(std::ilogb(size), 1 - w.bias);
  const auto units = static_cast<int64_t>(std::nearbyint(std::ldexp(size, w.fraction - exponent)));
  const int64_t bits = (static_cast<int64_t>(exponent + w.bias - 1) << w.fraction) + units;
  return bits >= infinity ? sign | infinity : static_cast<uint16_t>(sign | bits);
}

double from_half(uint16_t bits, HalfKind kind) {
  const Widths w = widths_of(kind);
  const double sign = bits & 0x8000 ? -1 : 1;
  const int exponent = bits >> w.fraction & w.largest_exponent(), fraction = bits & ((1 << w.fraction) - 1);
  if (exponent == w.largest_exponent())
    return sign * (fraction ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity());
  const int whole = exponent == 0 ? fraction : fraction + (1 << w.fraction);
  return sign * std::ldexp(whole, std::max(exponent, 1) - w.bias - w.fraction);
}

}  // namespace seqgrad

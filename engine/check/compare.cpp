// What differs, by the worst element; hints.cpp says what it looks like.
#include "engine/check/compare.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "engine/check/hints.h"

namespace seqgrad {
namespace {

// Distance of floats in the order of their values.
template <class T, class Bits>
double steps_between(T a, T b) {
  const auto ordered = [](T x) {
    const auto bits = std::bit_cast<Bits>(x);
    return bits < 0 ? std::numeric_limits<Bits>::min() - bits : bits;
  };
  const auto low = std::min(ordered(a), ordered(b)), high = std::max(ordered(a), ordered(b));
  using Unsigned = std::make_unsigned_t<Bits>;  // in which the difference of any two fits
  return static_cast<double>(static_cast<Unsigned>(high) - static_cast<Unsigned>(low));
}

bool same_bits(double a, double b, DType dtype) {
  if (dtype == DType::f64) return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
  return std::bit_cast<uint32_t>(static_cast<float>(a)) == std::bit_cast<uint32_t>(static_cast<float>(b)) &&
         (std::isnan(b) || static_cast<double>(static_cast<float>(b)) == b);
}

std::string shape_text(const std::vector<int64_t>& s) { return fmt::format("[{}]", fmt::join(s, ",")); }

std::string place_text(const std::vector<int64_t>& index) {
  return index.empty() ? "" : fmt::format("[{}]", fmt::join(index, ","));
}

std::string short_number(double x) { return fmt::format("{:.1e}", x); }

}  // namespace

double Limits::at(size_t i, double want) const {
  return absolute[absolute.size() == 1 ? 0 : i] + (std::isfinite(want) ? relative * std::abs(want) : 0);
}

std::string Limits::text(size_t i, double want) const {
  if (exact) return "the same bits";
  if (ulps) return fmt::format("{} ulp", *ulps);
  const double a = absolute[absolute.size() == 1 ? 0 : i];
  const std::string of = basis.empty() ? "" : " of " + basis;
  return relative * std::abs(want) >= a && relative > 0 ? fmt::format("rel {:.1e}{}", relative, of)
                                                        : fmt::format("abs {:.1e}{}", a, of);
}

std::string ulps_text(double ulps) {
  if (std::isnan(ulps)) return "nan";
  if (ulps > 1e6) return "over a million";
  const auto n = static_cast<int64_t>(ulps);
  return n < 1000 ? fmt::format("{}", n) : fmt::format("{},{:03d}", n / 1000, n % 1000);
}

double ulps_between(double a, double b, DType dtype) {
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::quiet_NaN();
  return dtype == DType::f32 ? steps_between<float, int32_t>(static_cast<float>(a), static_cast<float>(b))
                             : steps_between<double, int64_t>(a, b);
}

static std::string distance_text(double got, double want, DType dtype) {
  const double difference = std::abs(got - want);
  return fmt::format("  abs {}{} ulp {}", short_number(difference),
                     want == 0 ? "" : " rel " + short_number(difference / std::abs(want)),
                     ulps_text(ulps_between(got, want, dtype)));
}

// What is told of numbers that differ: the worst of them, how many, where, and perhaps why.
static std::string line_of(const Values& got, const Values& want, const Comparison& c, const Limits& limits,
                           DType dtype, const std::vector<std::string>& axes, Sides sides) {
  const double g = got.numbers[c.worst], w = want.numbers[c.worst], difference = g - w;
  const bool close = fmt::format("{:.4e}", g) == fmt::format("{:.4e}", w);
  const auto number = [&](double x) { return close ? fmt::format("{}", x) : fmt::format("{:.4e}", x); };
  const bool floats = limits.basis.starts_with("f64") && differ_as_floats(got, want, c.failing);
  const std::string hint =
      floats ? "they agree as float32 numbers do: tolerance: {class: f32} says so" : hint_of(got, want, c, axes, sides);
  const std::string limit = limits.text(c.worst, w);
  return fmt::format("{}{} {} {} {} {}{}  ({}/{} element{}{}){}{}", c.name, place_text(index_of(want.shape, c.worst)),
                     sides.got, number(g), sides.want, number(w),
                     std::isfinite(difference) ? distance_text(g, w, dtype) + "  limit " + limit
                     : limits.exact            ? "  limit " + limit
                                               : "",
                     c.failing.size(), c.total, c.total == 1 ? "" : "s", place_of(want.shape, c.failing, axes),
                     hint.empty() ? "" : "  hint: ", hint);
}

Comparison compare(const Values& got, const Values& want, const Limits& limits, DType dtype, bool nan_equal,
                   const std::vector<std::string>& axes, Sides sides) {
  Comparison c;
  c.name = want.name;
  c.total = static_cast<int64_t>(want.numbers.size());
  if (got.shape != want.shape) {
    c.line = fmt::format("{} {} shape {} {} shape {}", c.name, sides.got, shape_text(got.shape), sides.want,
                         shape_text(want.shape));
    return c;
  }
  double worst_excess = -1;
  for (size_t i = 0; i < want.numbers.size(); ++i) {
    const double g = got.numbers[i], w = want.numbers[i];
    const bool both_nan = std::isnan(g) && std::isnan(w), equal = g == w || (both_nan && nan_equal);
    const double difference = equal ? 0 : std::abs(g - w), ulp = equal ? 0 : ulps_between(g, w, dtype);
    if (std::isfinite(difference)) {
      c.worst_abs = std::max(c.worst_abs, difference);
      if (w != 0) c.worst_rel = std::max(c.worst_rel, difference / std::abs(w));
      c.worst_ulp = std::max(c.worst_ulp, ulp);
    }
    const double limit = limits.at(i, w);
    if (std::isfinite(difference) && limit > 0) c.worst_share = std::max(c.worst_share, difference / limit);
    const bool good = limits.exact  ? same_bits(g, w, dtype)
                      : limits.ulps ? equal || ulp <= *limits.ulps
                                    : equal || difference <= limit;
    if (good) continue;
    c.failing.push_back(i);
    // The first NaN or infinity is worse than any finite difference.
    const double excess = std::isfinite(difference) ? (limit > 0 ? difference / limit : difference * 1e30)
                                                    : std::numeric_limits<double>::infinity();
    if (excess > worst_excess) {
      worst_excess = excess;
      c.worst = i;
    }
  }
  if (c.failing.empty()) return c;
  c.ratio = constant_ratio(got, want, c.failing);
  c.line = line_of(got, want, c, limits, dtype, axes, sides);
  return c;
}

}  // namespace seqgrad

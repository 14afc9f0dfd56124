#include "engine/naming/numbers.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

namespace seqgrad {

double rounded_number(double x, double error) {
  for (int digits = 1; digits < 7; ++digits) {
    const double near = std::strtod(fmt::format("{:.{}g}", x, digits).c_str(), nullptr);
    if (std::abs(near - x) <= error) return near;
  }
  return x;
}

NamedNumber named_constant(double x, double error) {
  constexpr int most = 512;
  const auto near = [&](double y) { return std::abs(x - y) <= error; };
  if (near(std::log(2))) return {"ln 2", "constant:ln2"};
  if (near(1 / std::log(2))) return {"1/ln 2", "constant:1/ln2"};
  if (near(1 / std::log(10))) return {"1/ln 10", "constant:1/ln10"};
  if (near(-1)) return {"−1", "constant:sign"};
  for (int k = 2; k <= most; ++k) {
    if (near(k)) return {fmt::format("{}", k), "constant:k"};
    if (near(1.0 / k)) return {fmt::format("1/{}", k), "constant:1/k"};
  }
  return {fmt::format("{:.9g}", rounded_number(x, error)), "constant:other"};
}

}  // namespace seqgrad

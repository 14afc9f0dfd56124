// Central differences; the bound is that of engine/loss/README.md, Precision: 1e-8·max(1,|L|) + 1e-6·|a|.
#include "engine/check/gradcheck.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/core/random.h"

namespace seqgrad {
namespace {

void compare(GradientReport& report, const std::string& where, double analytic, double numeric, double loss) {
  const double limit = 1e-8 * std::max(1.0, std::abs(loss)) + 1e-6 * std::abs(analytic);
  const double ratio = std::abs(analytic - numeric) / limit;
  ++report.checked;
  if (!(ratio <= 1)) ++report.failed;
  if (!(ratio <= report.worst)) {
    report.worst = ratio;
    report.where = fmt::format("{}: analytic {:.12g} numeric {:.12g}", where, analytic, numeric);
  }
}

}  // namespace

GradientReport check_gradients(const std::function<double()>& loss, std::span<const GradientClaim> claims,
                               int64_t elements, uint64_t seed) {
  GradientReport report;
  const double at = loss();
  for (const GradientClaim& claim : claims) {
    const std::vector<double> start(claim.values, claim.values + claim.count);
    const auto difference = [&](const std::function<void(double)>& move, double step) {
      move(step);
      const double up = loss();
      move(-step);
      const double down = loss();
      std::copy(start.begin(), start.end(), claim.values);
      return (up - down) / (2 * step);
    };
    if (claim.count <= elements) {
      for (int64_t i = 0; i < claim.count; ++i) {
        if (claim.still && claim.still[i]) continue;
        const double x = start[static_cast<size_t>(i)];
        // A step that is exact in float64, so that the difference quotient divides by what was really moved.
        const double moved = x + 1e-5 * (claim.relative ? std::abs(x) : std::max(1.0, std::abs(x)));
        const double numeric = difference([&](double s) { claim.values[i] = x + s; }, moved - x);
        compare(report, fmt::format("{}[{}]", claim.name, i), claim.gradient[i], numeric, at);
      }
      continue;
    }
    for (uint64_t trial = 0; trial < 8; ++trial) {
      Random random(seed, trial);
      std::vector<double> direction(start.size());
      double norm = 0, analytic = 0;
      for (size_t i = 0; i < direction.size(); ++i) {
        const double d = random.normal();
        if (claim.still && claim.still[i]) continue;
        direction[i] = claim.relative ? d * std::abs(start[i]) : d;
        norm += d * d;
      }
      if (norm == 0) break;
      for (size_t i = 0; i < direction.size(); ++i) {
        direction[i] /= std::sqrt(norm);
        if (direction[i] != 0) analytic += direction[i] * claim.gradient[i];
      }
      const auto move = [&](double s) {
        for (size_t i = 0; i < direction.size(); ++i)
          if (direction[i] != 0) claim.values[i] = start[i] + s * direction[i];
      };
      compare(report, fmt::format("{} along direction {}", claim.name, trial), analytic, difference(move, 1e-5), at);
    }
  }
  return report;
}

}  // namespace seqgrad

// Analytic against numeric gradients, in float64 by central differences.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace seqgrad {

// A block of float64 numbers that the loss depends on, and the gradient that is claimed for them.
struct GradientClaim {
  std::string name;
  double* values;
  const double* gradient;
  int64_t count;
  const uint8_t* still = nullptr;  // [count]: numbers that are not to be moved, and of which nothing is claimed
  bool relative = false;           // each is moved in proportion to itself, as probabilities must be
};

struct GradientReport {
  int64_t checked = 0, failed = 0;
  double worst = 0;   // largest |analytic - numeric| / (1e-8·max(1,|L|) + 1e-6·|analytic|); passes up to 1
  std::string where;  // of the worst: "w[3]: analytic … numeric …"
  bool passed() const { return failed == 0; }
};

// Moves each number by ±1e-5·max(1,|x|) (relative: ±1e-5·|x|) and recomputes the loss. Where a claim has more than
// `elements` numbers, that many random directions through all of them are checked instead (seeded, reproducible).
GradientReport check_gradients(const std::function<double()>& loss, std::span<const GradientClaim> claims,
                               int64_t elements = 400, uint64_t seed = 1);

}  // namespace seqgrad

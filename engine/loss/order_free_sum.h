// A sum that does not depend on the order of its terms, so that permuting a batch changes no bit of its loss.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

namespace seqgrad {

// Each term is rounded to a multiple of a quantum so coarse that multiples of it add without rounding, and what that
// leaves over to a second, finer one (Demmel and Nguyen 2013, Fast reproducible floating-point summation). The quanta
// follow from the largest term and the number of those that are not 0, so that zeros beside them change nothing. The
// result is off by less than count³·2⁻¹⁰¹ of the largest term, and by the rounding of the two sums' own sum.
inline double order_free_sum(std::span<const double> terms) {
  double most = 0, infinite = 0;
  uint64_t count = 0;
  for (const double x : terms) {
    if (!std::isfinite(x)) infinite += x;
    most = std::max(most, std::abs(x));
    count += x != 0;
  }
  if (std::isnan(infinite)) return std::numeric_limits<double>::quiet_NaN();
  if (infinite != 0) return infinite;
  if (most == 0) return 0;

  // Adding 1.5·2^(e+1), and taking it away, rounds numbers below 2^e to multiples of 2^(e-51); of these, so many as add
  // up to 2^(e+1) at most do so exactly.
  const int growth = std::bit_width(count - 1);  // count <= 2^growth
  int exponent = 0;
  (void)std::frexp(most, &exponent);  // most < 2^exponent
  exponent += growth;
  const double scale = exponent > 1000 ? 0x1p-100 : 1;  // else the first number to add might be infinite
  if (scale != 1) exponent -= 100;
  const double coarse = std::ldexp(1.5, exponent + 1), fine = std::ldexp(1.5, exponent - 51 + growth);
  constexpr size_t lanes = 8;  // for the sake of speed: any number gives the same bits
  double high[lanes] = {}, low[lanes] = {};
  for (size_t i = 0; i < terms.size(); i += lanes)
    for (size_t j = 0; j < std::min(lanes, terms.size() - i); ++j) {
      const double x = terms[i + j] * scale, rounded = (x + coarse) - coarse;
      high[j] += rounded;
      low[j] += ((x - rounded) + fine) - fine;
    }
  double sum = 0, rest = 0;
  for (size_t j = 0; j < lanes; ++j) sum += high[j], rest += low[j];
  return (sum + rest) / scale;
}

}  // namespace seqgrad

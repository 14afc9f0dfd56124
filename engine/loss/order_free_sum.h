// A sum that does not depend on the order of its terms, so that permuting a batch changes no bit of its loss.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace seqgrad {

inline double order_free_sum(std::vector<double> terms) {
  for (const double x : terms)
    if (std::isnan(x)) return std::numeric_limits<double>::quiet_NaN();  // which no order sorts
  std::sort(terms.begin(), terms.end());
  double sum = 0;
  for (const double x : terms) sum += x;
  return sum;
}

}  // namespace seqgrad

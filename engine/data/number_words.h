// English number words.
#pragma once
#include <string>

namespace seqgrad {

// "seven hundred six thousand forty-two": no "and", hyphens from twenty-one to ninety-nine. 0 <= n < 1,000,000.
std::string number_words(int n);

// A number of 1 to 6 digits, each length equally often. Those below 100, too few to split, should be train only.
template <class Random>
int draw_number(Random& random) {
  const int highest[] = {10, 100, 1'000, 10'000, 100'000, 1'000'000};
  const auto digits = random.below(6);
  const int lowest = digits == 0 ? 0 : highest[digits - 1];
  return lowest + static_cast<int>(random.below(highest[digits] - lowest));
}

}  // namespace seqgrad

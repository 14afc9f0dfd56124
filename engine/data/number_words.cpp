// Thousands, hundreds, tens and ones.
#include "engine/data/number_words.h"

namespace seqgrad {

std::string number_words(int n) {
  static const char* const small[] = {"zero",     "one",     "two",     "three",     "four",     "five",    "six",
                                      "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
                                      "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
  static const char* const tens[] = {"",      "",      "twenty",  "thirty", "forty",
                                     "fifty", "sixty", "seventy", "eighty", "ninety"};
  const auto rest = [](int r, const char* joint) { return r == 0 ? "" : joint + number_words(r); };
  if (n < 20) return small[n];
  if (n < 100) return tens[n / 10] + rest(n % 10, "-");
  if (n < 1000) return small[n / 100] + std::string(" hundred") + rest(n % 100, " ");
  return number_words(n / 1000) + " thousand" + rest(n % 1000, " ");
}

}  // namespace seqgrad

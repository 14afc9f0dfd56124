// Numbers that people write, from numbers that were measured.
#pragma once
#include <string>

namespace seqgrad {

// The shortest number within `error` of x; x itself where none has fewer than seven digits.
double rounded_number(double x, double error);

// "1/2", "3", "ln 2", "1/ln 2", "−1", or the number; and which finding it is: "constant:1/k".
struct NamedNumber {
  std::string text, id;
};
NamedNumber named_constant(double x, double error);

}  // namespace seqgrad

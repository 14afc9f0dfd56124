// Numbers as a person types them.
#pragma once
#include <string>
#include <vector>

namespace seqgrad {

// "2.7778", "+1.8", "nan" or "1.8, 4, 0", and the relative tolerance that their digits allow. Throws InputError.
struct Asked {
  std::vector<double> value;
  double tolerance;
  double unit = 0;  // of the last digit, where one stands after a point; of several numbers the largest
};
Asked asked_value(const std::string& text, const char* option = "--which");

}  // namespace seqgrad

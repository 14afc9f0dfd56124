// Numbers as a person types them.
#pragma once
#include <string>
#include <vector>

namespace seqgrad {

// "2.7778", "nan" or "1.8,4,0", and the relative tolerance that their digits allow. Throws InputError.
struct Asked {
  std::vector<double> value;
  double tolerance;
};
Asked asked_value(const std::string& text, const char* option = "--which");

}  // namespace seqgrad

#include "engine/check/asked.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "engine/core/error.h"
#include "engine/text/escape.h"

namespace seqgrad {

Asked asked_value(const std::string& text, const char* option) {
  Asked out{{}, 0};
  double scale = 0, step = 0;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    double x = 0;
    const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, x);  // "nan" and "inf" too
    if (error != std::errc() || stop != text.data() + end)
      refuse("{}: expected a number, or the entries of a vector as 1.8,4,0, got '{}'", option, shown(text));
    const std::string digits = text.substr(at, end - at);
    out.value.push_back(x);
    at = end + 1;
    if (!std::isfinite(x)) continue;
    const size_t point = digits.find('.'), e = digits.find_first_of("eE");
    const std::string mantissa = digits.substr(0, e);
    double unit = point == std::string::npos ? 1 : std::pow(10.0, -static_cast<double>(mantissa.size() - point - 1));
    if (e != std::string::npos) unit *= std::pow(10.0, std::atof(digits.substr(e + 1).c_str()));
    step = std::max(step, point == std::string::npos ? 1e-9 : unit);
    scale = std::max(scale, std::abs(x));
  }
  // A unit of the last digit, rounded or cut off, but never so much that other reductions pass for it.
  out.tolerance = scale == 0 ? 0 : std::clamp(1.0001 * step / scale, 1e-12, 2e-3);
  return out;
}

}  // namespace seqgrad

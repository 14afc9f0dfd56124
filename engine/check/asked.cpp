#include "engine/check/asked.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "engine/core/error.h"
#include "engine/text/escape.h"
#include "engine/text/words.h"

namespace seqgrad {

Asked asked_value(const std::string& text, const char* option) {
  Asked out{{}, 0};
  double scale = 0;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    std::string_view digits = std::string_view(text).substr(at, end - at);
    if (const auto words = split_whitespace(digits); words.size() == 1) digits = words[0];
    if (digits.starts_with('+') && !digits.starts_with("+-")) digits.remove_prefix(1);
    double x = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), x);  // "nan", "inf" too
    if (error != std::errc() || stop != digits.data() + digits.size())
      refuse("{}: expected a number, or the entries of a vector as 1.8,4,0, got '{}'", option, shown(text));
    out.value.push_back(x);
    at = end + 1;
    if (!std::isfinite(x)) continue;
    const size_t point = digits.find('.'), e = digits.find_first_of("eE");
    const std::string_view mantissa = digits.substr(0, e);
    double unit = point == std::string::npos ? 1 : std::pow(10.0, -static_cast<double>(mantissa.size() - point - 1));
    if (e != std::string::npos) unit *= std::pow(10.0, std::atof(std::string(digits.substr(e + 1)).c_str()));
    out.unit = std::max(out.unit, point == std::string::npos ? 1e-9 : unit);
    scale = std::max(scale, std::abs(x));
  }
  // A unit of the last digit, rounded or cut off, but never so much that other reductions pass for it.
  out.tolerance = scale == 0 ? 0 : std::clamp(1.0001 * out.unit / scale, 1e-12, 2e-3);
  return out;
}

}  // namespace seqgrad

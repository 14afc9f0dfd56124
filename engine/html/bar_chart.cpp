// One line a bar, its value at the end.
#include "engine/html/bar_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/core/error.h"
#include "engine/html/page.h"
#include "engine/text/escape.h"

namespace seqgrad {
namespace {

constexpr double width = 400, left = 4, right = 76, line = 20, label_height = 18, gap = 8;

std::string value_text(double x) {
  return std::isnan(x) ? "NaN" : std::isinf(x) ? (x > 0 ? "inf" : "-inf") : fmt::format("{:.5g}", x == 0 ? 0 : x);
}

double error_of(const Bars& bars, size_t i) {
  const double e = i < bars.errors.size() ? bars.errors[i] : 0;
  return std::isfinite(e) ? e : 0;
}

}  // namespace

std::string bar_chart(const BarChart& chart) {
  double low = 0, high = 0;
  for (const Bars& s : chart.series) {
    if (s.values.size() != chart.labels.size() || (!s.errors.empty() && s.errors.size() != s.values.size()))
      refuse("a bar chart of {} labels has {} values and {} errors", chart.labels.size(), s.values.size(),
             s.errors.size());
    for (size_t i = 0; i < s.values.size(); ++i)
      if (std::isfinite(s.values[i])) {
        low = std::min(low, s.values[i] - error_of(s, i));
        high = std::max(high, s.values[i] + error_of(s, i));
      }
  }
  const double scale = high > low ? (width - left - right) / (high - low) : 0, zero = left - low * scale;
  const double group = label_height + line * static_cast<double>(chart.series.size()) + gap;
  const double height = group * static_cast<double>(chart.labels.size()) + 4;
  std::string out = "<div class=\"card\">" + heading(3, chart.title) +
                    fmt::format("<svg class=\"chart bars\" viewBox=\"0 0 {} {:.0f}\" role=\"img\" aria-label=\"{}\">\n",
                                width, height, for_html(chart.title));
  for (size_t i = 0; i < chart.labels.size(); ++i) {
    double y = group * static_cast<double>(i);
    out += fmt::format("<text x=\"{}\" y=\"{:.1f}\">{}</text>\n", left, y + 13, for_html(chart.labels[i]));
    y += label_height;
    for (size_t k = 0; k < chart.series.size(); ++k, y += line) {
      const Bars& s = chart.series[k];
      const double x = s.values[i], error = error_of(s, i);
      const double length = std::isfinite(x) ? x * scale : 0, far = zero + std::max({length + error * scale, 0.0});
      out += fmt::format(
          "<g class=\"s{}\"><rect class=\"fill\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\"/>", k % 4,
          zero + std::min(0.0, length), y, std::abs(length), line - 5);
      if (error > 0)
        out +=
            fmt::format("<path class=\"whisker\" d=\"M{0:.1f} {2:.1f}v8M{0:.1f} {3:.1f}H{1:.1f}M{1:.1f} {2:.1f}v8\"/>",
                        zero + length - error * scale, zero + length + error * scale, y + 3.5, y + 7.5);
      out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text></g>\n", far + 5, y + 12, value_text(x));
    }
  }
  out += fmt::format("<path class=\"rule\" d=\"M{0:.1f} 0V{1:.0f}\"/></svg>\n", zero, height);
  if (!chart.series.empty()) {
    out += "<div class=\"legend\">";
    for (size_t k = 0; k < chart.series.size(); ++k)
      out += fmt::format(
          "<span><svg class=\"s{}\" width=\"22\" height=\"12\" aria-hidden=\"true\"><rect class=\"fill\" x=\"1\" "
          "y=\"1\" "
          "width=\"20\" height=\"10\"/></svg>{}</span>",
          k % 4, for_html(chart.series[k].name));
    out += "</div>\n";
  }
  return out + "</div>\n";
}

}  // namespace seqgrad

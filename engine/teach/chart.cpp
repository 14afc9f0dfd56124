// Scales, ticks, lines.
#include "engine/teach/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/teach/html.h"
#include "engine/text/escape.h"

namespace seqgrad {
namespace {

using Points = std::vector<std::pair<double, double>>;

constexpr double width = 400, height = 230, left = 54, right = 14, top = 10, bottom = 30;
constexpr size_t most_points = 600, most_markers = 40;

struct Scale {
  double low, high, from, to;
  double operator()(double x) const { return from + (x - low) / (high - low) * (to - from); }
};

// At most `most` points: of each column the least and the greatest, in their order.
Points thinned(const Points& points, size_t most) {
  if (points.size() <= most) return points;
  Points out;
  const size_t columns = most / 2;
  for (size_t c = 0; c < columns; ++c) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(c * points.size() / columns),
               end = points.begin() + static_cast<std::ptrdiff_t>((c + 1) * points.size() / columns);
    auto low = begin, high = begin;
    for (auto p = begin; p != end; ++p) {
      if (!std::isfinite(p->second)) continue;
      if (!std::isfinite(low->second) || p->second < low->second) low = p;
      if (!std::isfinite(high->second) || p->second > high->second) high = p;
    }
    out.push_back(*std::min(low, high));
    if (low != high) out.push_back(*std::max(low, high));
  }
  return out;
}

std::string marker(size_t series, double x, double y, const std::string& text) {
  const std::string title = text.empty() ? "" : fmt::format("<title>{}</title>", for_html(text));
  switch (series % 4) {
    case 0: return fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\">{}</circle>", x, y, title);
    case 1:
      return fmt::format("<rect class=\"dot\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"6\" height=\"6\">{}</rect>", x - 3,
                         y - 3, title);
    case 2: return fmt::format("<path class=\"dot\" d=\"M{:.1f} {:.1f}l3.6 6.2h-7.2z\">{}</path>", x, y - 4, title);
    default: return fmt::format("<path class=\"dot\" d=\"M{:.1f} {:.1f}l4 4l-4 4l-4-4z\">{}</path>", x, y - 4, title);
  }
}

std::string number(double x) { return x == 0 ? "0" : fmt::format("{:.6g}", x); }

std::string draw(const Series& s, size_t index, const Scale& x, const Scale& y) {
  const Points points = thinned(s.points, most_points);
  std::string path, markers;
  bool pen_down = false;
  const bool marked = points.size() <= most_markers;
  for (size_t i = 0; i < points.size(); ++i) {
    const auto [a, b] = points[i];
    if (!std::isfinite(b)) {
      pen_down = false;
      continue;
    }
    path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x(a), y(b));
    const bool alone = !pen_down && (i + 1 == points.size() || !std::isfinite(points[i + 1].second));
    if (marked || alone) markers += marker(index, x(a), y(b), fmt::format("{}, {}: {:.4g}", s.name, number(a), b));
    pen_down = true;
  }
  for (size_t i = 0; i < s.points.size() && i < s.errors.size(); ++i) {
    const auto [a, b] = s.points[i];
    const double error = s.errors[i];
    if (!std::isfinite(b) || !std::isfinite(error) || error == 0) continue;
    markers +=
        fmt::format("<path class=\"whisker\" d=\"M{0:.1f} {1:.1f}h8M{2:.1f} {1:.1f}V{3:.1f}M{0:.1f} {3:.1f}h8\"/>",
                    x(a) - 4, y(b - error), x(a), y(b + error));
  }
  return fmt::format("<g class=\"s{}\"><path class=\"line\" d=\"{}\"/>{}</g>\n", index % 4, path, markers);
}

std::string legend(const std::vector<Series>& series) {
  std::string out = "<div class=\"legend\">";
  for (size_t i = 0; i < series.size(); ++i) {
    if (series[i].points.empty()) continue;
    out += fmt::format(
        "<span><svg class=\"s{}\" width=\"30\" height=\"12\" aria-hidden=\"true\"><path class=\"line\" d=\"M0 6H30\"/>"
        "{}</svg>{} {:.4g}</span>",
        i % 4, marker(i, 15, 6, ""), for_html(series[i].name), series[i].points.back().second);
  }
  return out + "</div>\n";
}

}  // namespace

std::vector<double> round_ticks(double low, double high, int count) {
  if (!(high > low)) {  // a constant: some room on either side
    const double room = low == 0 ? 1 : std::abs(low) / 2;
    low -= room, high += room;
  }
  const double rough = (high - low) / count, power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double m : {5.0, 2.0, 1.0})
    if (rough <= m * power * (1 + 1e-9)) step = m * power;
  std::vector<double> ticks;
  const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
  for (double i = first; i <= last; ++i) ticks.push_back(i * step);
  return ticks;
}

std::string line_chart(const Chart& chart) {
  const std::vector<Series>& series = chart.series;
  double x_low = HUGE_VAL, x_high = -HUGE_VAL, y_low = HUGE_VAL, y_high = -HUGE_VAL;
  for (const Series& s : series)
    for (size_t i = 0; i < s.points.size(); ++i) {
      const auto [a, b] = s.points[i];
      const double error = i < s.errors.size() && std::isfinite(s.errors[i]) ? s.errors[i] : 0;
      x_low = std::min(x_low, a), x_high = std::max(x_high, a);
      if (std::isfinite(b)) y_low = std::min(y_low, b - error), y_high = std::max(y_high, b + error);
    }
  std::string out = "<div class=\"card\">" + heading(3, chart.title);
  if (y_low > y_high) return out + paragraph("no finite value") + "</div>\n";
  if (y_low > 0 && y_low < y_high / 2) y_low = 0;
  if (x_low > 0) x_low = 0;  // step 0 is where training begins
  const std::vector<double> xs = round_ticks(x_low, x_high, 4), ys = round_ticks(y_low, y_high, 4);
  const Scale x{x_low, std::max(x_high, x_low + 1), left, width - right},
      y{ys.front(), ys.back(), height - bottom, top};
  out += fmt::format("<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{} by {}\">\n", width,
                     height, for_html(chart.title), for_html(chart.x_name));
  for (const double t : ys)
    out += fmt::format(
        "<path class=\"rule\" d=\"M{} {:.1f}H{}\"/><text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", left,
        y(t), width - right, left - 6, y(t) + 4, number(t));
  for (const double t : xs)
    if (t >= x.low && t <= x.high)
      out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", x(t), height - bottom + 16,
                         number(t));
  out += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n", width - right, height,
                     for_html(chart.x_name));
  for (size_t i = 0; i < series.size(); ++i)
    if (!series[i].points.empty()) out += draw(series[i], i, x, y);
  return out + "</svg>\n" + legend(series) + "</div>\n";
}

}  // namespace seqgrad

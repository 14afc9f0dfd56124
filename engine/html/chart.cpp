// Scales, ticks, lines.
#include "engine/html/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/html/page.h"
#include "engine/text/escape.h"

namespace seqgrad {
namespace {

using Points = std::vector<std::pair<double, double>>;

constexpr double plot_width = 400, height = 230, plot_left = 54, plot_right = 14, top = 10, bottom = 30;
constexpr size_t most_points = 600, most_markers = 40;

struct Scale {
  double low, high, from, to;
  bool log = false;
  double operator()(double x) const {
    if (log) return from + std::log(x / low) / std::log(high / low) * (to - from);
    return from + (x - low) / (high - low) * (to - from);
  }
};

struct Range {
  double low = HUGE_VAL, high = -HUGE_VAL;
  void add(double x) { low = std::min(low, x), high = std::max(high, x); }
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

std::vector<double> log_ticks(double low, double high, int most) {
  const int first = static_cast<int>(std::floor(std::log10(low) + 1e-9)),
            last = static_cast<int>(std::ceil(std::log10(high) - 1e-9));
  std::vector<double> fine, coarse;
  for (int e = first; e <= last; ++e)
    for (const double m : {1.0, 2.0, 5.0}) fine.push_back(m * std::pow(10.0, e));
  while (fine.size() > 2 && fine[1] <= low * (1 + 1e-9)) fine.erase(fine.begin());
  while (fine.size() > 2 && fine[fine.size() - 2] >= high * (1 - 1e-9)) fine.pop_back();
  if (static_cast<int>(fine.size()) <= most) return fine;
  const int step = std::max(1, (last - first + most - 2) / (most - 1));
  for (int e = first; e < last + step; e += step)
    coarse.push_back(std::min(std::pow(10.0, e), std::numeric_limits<double>::max()));
  return coarse;
}

std::string line_chart(const Chart& chart) {
  const std::vector<Series>& series = chart.series;
  Range xr, yr;
  for (const Series& s : series)
    for (size_t i = 0; i < s.points.size(); ++i) {
      const auto [a, b] = s.points[i];
      const double error = i < s.errors.size() && std::isfinite(s.errors[i]) ? s.errors[i] : 0;
      xr.add(a);
      if (std::isfinite(b)) yr.add(b - error), yr.add(b + error);
    }
  std::string out = "<div class=\"card\">" + heading(3, chart.title);
  if (yr.low > yr.high) return out + paragraph("no finite value") + "</div>\n";
  const bool log = chart.log && yr.low > 0 && yr.high >= 20 * yr.low;
  if (!log && yr.low > 0 && yr.low < yr.high / 2) yr.low = 0;
  if (xr.low > 0) xr.low = 0;  // step 0 is where training begins
  const std::vector<double> xs = round_ticks(xr.low, xr.high, 4),
                            ys = log ? log_ticks(yr.low, yr.high, 7) : round_ticks(yr.low, yr.high, 4);
  const Scale x{xr.low, std::max(xr.high, xr.low + 1), plot_left, plot_width - plot_right},
      y{ys.front(), ys.back(), height - bottom, top, log};
  out += fmt::format("<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{} by {}\">\n", plot_width,
                     height, for_html(chart.title), for_html(chart.x_name));
  for (const double t : ys)
    out += fmt::format(
        "<path class=\"rule\" d=\"M{} {:.1f}H{}\"/><text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
        plot_left, y(t), plot_width - plot_right, plot_left - 6, y(t) + 4, number(t));
  for (const double t : xs)
    if (t >= x.low && t <= x.high)
      out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", x(t), height - bottom + 16,
                         number(t));
  out += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n", plot_width - plot_right, height,
                     for_html(chart.x_name));
  if (log) out += fmt::format("<text x=\"{}\" y=\"{}\">logarithmic scale</text>\n", plot_left, height);
  for (size_t i = 0; i < series.size(); ++i)
    if (!series[i].points.empty()) out += draw(series[i], i, x, y);
  return out + "</svg>\n" + legend(series) + "</div>\n";
}

}  // namespace seqgrad

// Words on two sides, one cell a pair.
#include "engine/html/heat_map.h"

#include <algorithm>
#include <cmath>

#include "engine/core/error.h"
#include "engine/html/page.h"
#include "engine/text/escape.h"

namespace seqgrad {

std::string heat_map(const HeatMap& map, const std::string& label) {
  constexpr double cell_height = 22, letter = 7.3, slant = 0.71;  // columns lean at 45 degrees
  constexpr size_t most = 120, dense_from = 25;
  if (map.weights.size() != map.rows.size() * map.columns.size())
    refuse("a heat map of {} x {} has {} weights", map.rows.size(), map.columns.size(), map.weights.size());
  const size_t rows = std::min(most, map.rows.size()), columns = std::min(most, map.columns.size());
  const bool dense = columns >= dense_from;  // 60 of them fit a page's width
  const double cell_width = dense ? 18 : 28;
  const auto longest = [](const std::vector<std::string>& words, size_t count) {
    int64_t n = 1;
    for (size_t i = 0; i < count; ++i) n = std::max(n, text_columns(words[i]));
    return static_cast<double>(n);
  };
  const double left = letter * longest(map.rows, rows) + 12, lean = letter * longest(map.columns, columns) * slant,
               top = lean + 18, width = left + cell_width * static_cast<double>(columns) + lean + 8,
               height = top + cell_height * static_cast<double>(rows) + 4;
  std::string out = fmt::format(
      "<div class=\"frame\"><svg class=\"map{3}\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
      "role=\"img\" aria-label=\"{2}\">\n",
      width, height, for_html(label), dense ? " dense" : "");
  out += fmt::format("<rect class=\"back\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\"/>\n", left, top,
                     cell_width * static_cast<double>(columns), cell_height * static_cast<double>(rows));
  for (size_t c = 0; c < columns; ++c)
    out += fmt::format("<text transform=\"translate({:.1f} {:.1f}) rotate(-45)\">{}</text>\n",
                       left + cell_width * (static_cast<double>(c) + 0.5) + 4, top - 5, for_html(map.columns[c]));
  for (size_t r = 0; r < rows; ++r) {
    const double y = top + cell_height * static_cast<double>(r);
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", left - 6,
                       y + cell_height / 2 + 4, for_html(map.rows[r]));
    for (size_t c = 0; c < columns; ++c) {
      const double weight = map.weights[r * map.columns.size() + c], x = left + cell_width * static_cast<double>(c);
      const int64_t percent = std::isfinite(weight) ? std::lround(100 * weight) : 0;
      if (percent < 1) continue;
      out += fmt::format(
          "<rect class=\"cell\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" fill-opacity=\"{:.2f}\"><title>{} "
          "- {}: {}%</title></rect>",
          x, y, cell_width, cell_height, weight, for_html(map.rows[r]), for_html(map.columns[c]), percent);
      if (percent >= 5)
        out += fmt::format("<text class=\"in{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>",
                           weight > 0.7 ? " on" : "", x + cell_width / 2, y + cell_height / 2 + 4, percent);
      out += "\n";
    }
  }
  out += "</svg></div>\n";
  if (rows < map.rows.size() || columns < map.columns.size())
    out += paragraph(fmt::format("the first {} of {} target words and {} of {} source words", rows, map.rows.size(),
                                 columns, map.columns.size()));
  return out;
}

}  // namespace seqgrad

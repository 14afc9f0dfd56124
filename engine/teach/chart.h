// Line charts as SVG.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace seqgrad {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // (x, y) with ascending x; where y is not finite the line has a gap
};

// A card with the title, the chart and a legend that tells each series' last value. The first four series differ in
// colour, dashes and markers. A series of very many points is drawn by the least and greatest of each column.
std::string line_chart(const std::string& title, const std::string& x_name, const std::vector<Series>& series);

// Round numbers (1, 2 or 5 times a power of ten) from the greatest not above `low` to the least not below `high`, about
// `count` steps between them.
std::vector<double> round_ticks(double low, double high, int count);

}  // namespace seqgrad

// Line charts as SVG.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace seqgrad {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // (x, y) with ascending x; where y is not finite the line has a gap
  std::vector<double> errors = {};                // half the length of each point's error bar; empty: none
};

struct Chart {
  std::string title, x_name;
  std::vector<Series>
      series;        // the first four places differ in colour, dashes and markers; one without points is left out
  bool log = false;  // a logarithmic y axis where that helps: all values above 0, and the largest 20 times the least
};

// A card with the title, the chart and a legend that tells each series' last value. A series of very many points is
// drawn by the least and greatest of each column.
std::string line_chart(const Chart& chart);

// Round numbers (1, 2 or 5 times a power of ten) from the greatest not above `low` to the least not below `high`, about
// `count` steps between them.
std::vector<double> round_ticks(double low, double high, int count);

// The same for a logarithmic axis, of numbers above 0: powers of ten, with 2 and 5 times them where that makes no more
// than `most` ticks, or only every second, third, … power.
std::vector<double> log_ticks(double low, double high, int most);

}  // namespace seqgrad

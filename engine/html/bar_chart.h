// Bar charts as SVG: horizontal, so that labels have room on a narrow screen.
#pragma once
#include <string>
#include <vector>

namespace seqgrad {

struct Bars {
  std::string name;
  std::vector<double> values;  // one a label; where one is not finite there is only its word
  std::vector<double> errors;  // half the length of each error bar; empty: none
};

struct BarChart {
  std::string title;
  std::vector<std::string> labels;
  std::vector<Bars> series;  // the first four differ in colour, strength and outline
};

// A card with the title and, for each label, a bar a series with its value. Throws when the sizes disagree.
std::string bar_chart(const BarChart& chart);

}  // namespace seqgrad

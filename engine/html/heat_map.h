// Heat maps of weights between words, as attention gives them, as SVG.
#pragma once
#include <string>
#include <vector>

namespace seqgrad {

struct HeatMap {
  std::vector<std::string> rows, columns;  // words
  std::vector<float> weights;              // [rows, columns], each from 0 to 1
};

// A row a target word, a column a source word; the darker a cell, the larger its weight, which it also tells in per
// cent. From 25 columns on the cells are narrower; of more than 120 rows or columns only the first 120 are drawn, and a
// line below says so. Throws when the sizes disagree.
std::string heat_map(const HeatMap& map, const std::string& label);

}  // namespace seqgrad

// Cutting lines into numbered words, and putting them together again.
#include "engine/data/word_lines.h"

#include <algorithm>

namespace seqgrad {

void WordLines::push_back(std::string_view line) {
  row_.clear();
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find(' ', begin), line.size());
    auto number = static_cast<uint32_t>(index_.add(line.substr(begin, end - begin)));
    for (; number > 0x7F; number >>= 7) row_.push_back(static_cast<uint8_t>(number | 0x80));
    row_.push_back(static_cast<uint8_t>(number));
    begin = end + 1;
  }
  rows_.push_back(row_);
}

void WordLines::read(int64_t row, std::string& line) const {
  line.clear();
  for_each_number(row, [&](size_t number) {
    line += words()[number];
    line += ' ';
  });
  line.pop_back();
}

std::string WordLines::operator[](int64_t row) const {
  std::string line;
  read(row, line);
  return line;
}

std::vector<int64_t> WordLines::counts() const {
  std::vector<int64_t> counts(words().size());
  for (int64_t row = 0; row < size(); ++row) for_each_number(row, [&](size_t number) { ++counts[number]; });
  return counts;
}

void WordLines::select(std::span<const size_t> rows) {
  Ragged<uint8_t> selected;
  for (const size_t row : rows) selected.push_back(rows_[static_cast<int64_t>(row)]);
  rows_ = std::move(selected);
}

}  // namespace seqgrad

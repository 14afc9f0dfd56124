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

std::vector<CountedText> WordLines::counted() const {
  std::vector<CountedText> texts;
  for (const std::string& word : words()) texts.push_back({word, 0});
  int64_t spaces = 0;
  for (int64_t row = 0; row < size(); ++row) {
    --spaces;  // one fewer than words
    for_each_number(row, [&](size_t number) {
      ++texts[number].count;
      ++spaces;
    });
  }
  texts.push_back({" ", spaces});
  std::erase_if(texts, [](const CountedText& t) { return t.count == 0; });
  return texts;
}

void WordLines::select(std::span<const size_t> rows) {
  Ragged<uint8_t> selected;
  for (const size_t row : rows) selected.push_back(rows_[static_cast<int64_t>(row)]);
  rows_ = std::move(selected);
}

void WordLines::fill_up_to(int64_t size) {
  while (this->size() < size) push_back("");
}

}  // namespace seqgrad

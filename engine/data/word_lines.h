// Lines of text that keep each word once.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/ragged.h"
#include "engine/data/vocabulary.h"

namespace seqgrad {

// A word is here what stands between two spaces, and may be empty: a line is its words with a space between each two,
// to the byte. Words are numbered in the order in which they came first, and a line holds their numbers in base 128
// (LEB128), one byte for the most frequent ones.
class WordLines {
 public:
  int64_t size() const { return rows_.size(); }
  void push_back(std::string_view line);
  std::string operator[](int64_t row) const;
  void read(int64_t row, std::string& line) const;  // the same, into memory that is there

  const std::vector<std::string>& words() const { return index_.tokens(); }  // some of lines that are gone
  // The lines as words and the spaces between them, each as often as it stands there. Views of words().
  std::vector<CountedText> counted() const;
  template <class F>
  void for_each_number(int64_t row, const F& f) const;  // f(size_t): the number of each word of a line

  void select(std::span<const size_t> rows);  // those lines, in that order
  void fill_up_to(int64_t size);              // with empty lines

 private:
  TokenIndex index_;
  Ragged<uint8_t> rows_;
  std::vector<uint8_t> row_;  // that is being made
};

template <class F>
void WordLines::for_each_number(int64_t row, const F& f) const {
  size_t number = 0;
  int shift = 0;
  for (const uint8_t byte : rows_[row]) {
    number |= size_t{byte & 0x7Fu} << shift;
    shift += 7;
    if (byte & 0x80) continue;
    f(number);
    number = 0, shift = 0;
  }
}

}  // namespace seqgrad

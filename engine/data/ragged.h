// Rows of different lengths in one piece of memory.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace seqgrad {

template <class T>
class Ragged {
 public:
  int64_t size() const { return static_cast<int64_t>(ends_.size()) - 1; }
  bool empty() const { return size() == 0; }
  int64_t length(int64_t row) const { return ends_[row + 1] - ends_[row]; }
  std::span<const T> operator[](int64_t row) const {
    return {values_.data() + ends_[row], static_cast<size_t>(length(row))};
  }
  void push_back(std::span<const T> row) {
    values_.insert(values_.end(), row.begin(), row.end());
    ends_.push_back(static_cast<int64_t>(values_.size()));
  }
  const std::vector<T>& values() const { return values_; }  // all rows, one after the other

 private:
  std::vector<T> values_;
  std::vector<int64_t> ends_{0};
};

}  // namespace seqgrad

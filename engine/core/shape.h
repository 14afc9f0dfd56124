// Up to four dimensions, by value.
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "engine/core/error.h"

namespace seqgrad {

class Shape {
 public:
  static constexpr int max_rank = 4;
  static constexpr int64_t most_elements = int64_t{1} << 60;  // so that their bytes, too, are a number of 64 bits

  Shape() = default;  // a scalar
  Shape(std::initializer_list<int64_t> dims) {
    for (const int64_t d : dims) push_back(d);
  }

  void push_back(int64_t d) {
    if (rank_ == max_rank) refuse("a tensor has at most {} dimensions", max_rank);
    if (d < 0) refuse("a dimension cannot be {}", d);
    dims_[rank_++] = d;
    int64_t left = most_elements;  // an empty dimension does not excuse the others: products over some of them are made
    for (int i = 0; i < rank_; ++i)
      if (dims_[i] > 0 && (left /= dims_[i]) == 0) refuse("a tensor of shape {} has more elements than 2^60", str());
  }

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[i < 0 ? rank_ + i : i]; }  // negative: from the end
  int64_t numel() const {
    int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= dims_[i];
    return n;
  }
  const int64_t* begin() const { return dims_.data(); }
  const int64_t* end() const { return dims_.data() + rank_; }

  bool operator==(const Shape& other) const { return rank_ == other.rank_ && dims_ == other.dims_; }

  std::string str() const {  // "[2,3]"
    std::string s = "[";
    for (int i = 0; i < rank_; ++i) {
      if (i) s += ',';
      s += std::to_string(dims_[i]);
    }
    s += ']';
    return s;
  }

 private:
  std::array<int64_t, max_rank> dims_{};
  int rank_ = 0;
};

}  // namespace seqgrad

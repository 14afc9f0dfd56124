// What an op asks of its operands, in the form of the comments on its declaration.
#pragma once
#include <array>
#include <initializer_list>

#include "engine/core/tensor.h"

namespace seqgrad {

// `shape` is "[B,T,3H]": a letter is any size, the same wherever it stands; sums and multiples of letters and numbers
// follow from those that stand alone. "[...,I]" has any dimensions before the last. Behind it " i32", for ids and
// lengths; without, the tensor is float32 or float64, like all others. "?" at the end: there may be none.
struct Operand {
  const char* name;
  const Tensor& tensor;
  const char* shape;
};

// The sizes that the letters stood for.
class Dims {
 public:
  int64_t operator[](char letter) const { return sizes_[static_cast<size_t>(letter - 'A')]; }
  void set(char letter, int64_t size) { sizes_[static_cast<size_t>(letter - 'A')] = size; }
  static constexpr int64_t unknown = -1;

 private:
  std::array<int64_t, 26> sizes_ = [] {
    std::array<int64_t, 26> none;
    none.fill(unknown);
    return none;
  }();
};

// Throws InputError, naming all that was given and all that was expected, unless each operand is of this step
// (check_alive), of its shape and dtype, and on the device of the others.
Dims expect(const char* op, std::initializer_list<Operand> operands);

}  // namespace seqgrad

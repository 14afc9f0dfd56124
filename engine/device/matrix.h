// Matrices as products take them.
#pragma once
#include <type_traits>

#include "engine/core/tensor.h"

namespace seqgrad {

// [rows,cols] whose rows lie `ld` elements apart in memory; of a transposed one its columns do.
template <class T>
struct Matrix {
  T* data = nullptr;
  int64_t rows = 0, cols = 0, ld = cols;
  int64_t transposed = 0;  // 0 or 1; as wide as the others, for recorded calls are compared byte by byte

  Matrix t() const { return {data, cols, rows, ld, !transposed}; }
  T* at(int64_t row, int64_t col) const { return data + (transposed ? col * ld + row : row * ld + col); }
  Matrix block(int64_t row, int64_t col, int64_t height, int64_t width) const {
    return {at(row, col), height, width, ld, transposed};
  }
  operator Matrix<const T>() const requires(!std::is_const_v<T>) { return {data, rows, cols, ld, transposed}; }
};
template <class T>
Matrix(T*, int64_t, int64_t) -> Matrix<T>;
template <class T>
Matrix(T*, int64_t, int64_t, int64_t) -> Matrix<T>;

// The last dimension of a tensor as columns, all others together as rows.
template <class T>
Matrix<T> as_matrix(const Tensor& t) {
  int64_t rows = 1;
  for (int i = 0; i + 1 < t.shape.rank(); ++i) rows *= t.shape[i];
  return {t.as<T>(), rows, t.shape[-1]};
}

}  // namespace seqgrad

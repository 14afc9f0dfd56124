// The right factor of many products, prepared once by whoever reuses it: a layer over its time steps, the fused loss
// over its tiles.
#pragma once
#include "engine/device/matrix.h"

namespace seqgrad {

// Any matrix is one that nothing has been prepared for.
template <class T>
struct PackedMatrix {
  Matrix<const T> matrix;
  const uint32_t* bf16 = nullptr;  // the same rounded, in panels (bf16_gemm.h): products with it are made in bfloat16
  const float* panels = nullptr;   // the same in panels (panel_gemm.h), of float32

  PackedMatrix() = default;
  PackedMatrix(Matrix<const T> m) : matrix(m) {}
  PackedMatrix(Matrix<T> m) : matrix(m) {}

  // A part of it; what has been prepared serves the whole alone.
  PackedMatrix block(int64_t row, int64_t col, int64_t height, int64_t width) const {
    if (height == matrix.rows && width == matrix.cols) return *this;
    return matrix.block(row, col, height, width);
  }
};

// What is prepared lies in the memory of the current tape until its reset. A GPU takes every matrix as it is.

// b rounded and laid out for the kernels of a CPU, where the tape's products are made in bfloat16 on one; else b.
template <class T>
PackedMatrix<T> pack(Device device, Matrix<const T> b /*[K,N]*/);

// For products of few rows, as those of a recurrence: in panels (panel_gemm.h) where this CPU has the kernels for them.
// Else a transposed b is copied so that its rows lie in memory: oneDNN packs an operand in every call, and reads a
// transposed one at two thirds of the speed.
template <class T>
PackedMatrix<T> pack_for_few_rows(Device device, Matrix<const T> b /*[K,N]*/);

}  // namespace seqgrad

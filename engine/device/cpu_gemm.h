// Single-threaded matrix product on the CPU, for use inside a parallel block.
#pragma once
#include "engine/device/packed_matrix.h"

namespace seqgrad {

// C = A·B, or with `accumulate` C += A·B: the same bits for the same arguments on every thread. float32 by panels,
// which are laid out here where b has none, or through oneDNN where this CPU has no kernels for them (f32_kernels.h),
// or in bfloat16 where b was packed for it; float64 by plain blocked loops.
void cpu_gemm(Matrix<const float> a, const PackedMatrix<float>& b, Matrix<float> c, bool accumulate);
void cpu_gemm(Matrix<const double> a, const PackedMatrix<double>& b, Matrix<double> c, bool accumulate);

}  // namespace seqgrad

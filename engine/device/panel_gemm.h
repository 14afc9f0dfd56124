// Products by a right factor in panels: laid out once for many products of few rows, where doing so in each call, as a
// library has to, takes longer than the product; or for one of many rows. Every element of C is summed in one order,
// whatever the number of rows and of threads.
#pragma once
#include "engine/device/packed_matrix.h"

namespace seqgrad {

// C = start + A·B on all threads, from inside a block on this one; b.panels are there. The rows of `start` lie start_ld
// apart; null: none.
void panel_gemm(Matrix<const float> a, const PackedMatrix<float>& b, Matrix<float> c, const float* start,
                int64_t start_ld);

// The same, where B is not laid out yet.
void packing_gemm(Matrix<const float> a, Matrix<const float> b, Matrix<float> c, const float* start, int64_t start_ld);

// How many numbers a right factor [K,N] takes in panels, and laying it out there, on all threads. This CPU has the
// kernels (f32_kernels.h).
int64_t panel_size(int64_t k, int64_t n);
void lay_out_panels(Matrix<const float> b, float* panels);

}  // namespace seqgrad

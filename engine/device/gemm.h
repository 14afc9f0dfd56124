// Matrix products: C = A·B, or added to C, on all threads of a CPU or on a GPU.
#pragma once
#include "engine/core/kernel.h"
#include "engine/core/tape.h"
#include "engine/device/packed_matrix.h"

namespace seqgrad {

// Several products of one shape: the operands of each lie so many elements behind those of the one before. Those of A
// and B may overlap, those of C may not.
struct StridedBatch {
  int64_t count = 1, a = 0, b = 0, c = 0;
};

template <class T>
struct Gemm {
  Matrix<const T> a;  // [M,K]; zeros are legal
  PackedMatrix<T> b;  // [K,N]; in a batch of several nothing is prepared for it
  Matrix<T> c;        // [M,N], not transposed
  bool accumulate;    // the product is added to C; else C is not read
  StridedBatch batch = {};
  const T* bias = nullptr;  // [N], added to each row of a product that is not accumulated; of a single product
  MatmulPrecision precision = Tape::current().matmul_precision();

  Gemm at(int64_t i) const {  // of a batch, alone
    Gemm g = *this;
    g.a.data += i * batch.a;
    g.b.matrix.data += i * batch.b;
    g.c.data += i * batch.c;
    g.batch = {};
    return g;
  }
};

// Sets that of the current tape. bf16 is refused for a CPU that has no instructions for it; `device` is where products
// will be made (a product that such a CPU is given all the same is refused then).
void set_matmul_precision(MatmulPrecision precision, Device device = Device::cpu);

namespace kernels {
template <class T>
inline constinit Kernel<Gemm<T>> gemm{"gemm"};
}  // namespace kernels

}  // namespace seqgrad

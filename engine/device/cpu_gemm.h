// Single-threaded matrix product on the CPU, for use inside a parallel block.
#pragma once
#include "engine/device/gemm.h"

namespace seqgrad {

// The same bits for the same arguments on every thread. float32 through oneDNN, whatever
// matmul_precision() says, float64 by plain blocked loops.
void cpu_gemm(const Gemm<float>& g);
void cpu_gemm(const Gemm<double>& g);

}  // namespace seqgrad

// The kernels of cells and attention for AVX2 with fused multiply-add.
#include "engine/ops/cell_kernels_simd.h"

namespace seqgrad {

extern constinit const CellKernels<float> cell_kernels_avx2 = SEQGRAD_ISA::cell_kernels_of("avx2");

}  // namespace seqgrad

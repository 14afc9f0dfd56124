// The kernels of cells and attention for AVX-512.
#include "engine/ops/cell_kernels_simd.h"

namespace seqgrad {

extern constinit const CellKernels<float> cell_kernels_avx512 = SEQGRAD_ISA::cell_kernels_of("avx512");

}  // namespace seqgrad

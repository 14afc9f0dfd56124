// The kernels of cells and attention for the instruction set that the whole build is for.
#include "engine/ops/cell_kernels_simd.h"

namespace seqgrad {

extern constinit const CellKernels<float> cell_kernels_base = SEQGRAD_ISA::cell_kernels_of("base");

}  // namespace seqgrad

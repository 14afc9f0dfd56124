// The passes for AVX2 with fused multiply-add.
#include "engine/ops/row_passes_simd.h"

namespace seqgrad {

extern constinit const RowPasses<float> row_passes_avx2_f32 = SEQGRAD_ISA::row_passes_of<float>("avx2");
extern constinit const RowPasses<double> row_passes_avx2_f64 = SEQGRAD_ISA::row_passes_of<double>("avx2");

}  // namespace seqgrad

// The passes for AVX-512.
#include "engine/ops/row_passes_simd.h"

namespace seqgrad {

extern constinit const RowPasses<float> row_passes_avx512_f32 = SEQGRAD_ISA::row_passes_of<float>("avx512");
extern constinit const RowPasses<double> row_passes_avx512_f64 = SEQGRAD_ISA::row_passes_of<double>("avx512");

}  // namespace seqgrad

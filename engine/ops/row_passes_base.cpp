// The passes for the instruction set that the whole build is for.
#include "engine/ops/row_passes_simd.h"

namespace seqgrad {

extern constinit const RowPasses<float> row_passes_base_f32 = SEQGRAD_ISA::row_passes_of<float>("base");
extern constinit const RowPasses<double> row_passes_base_f64 = SEQGRAD_ISA::row_passes_of<double>("base");

}  // namespace seqgrad

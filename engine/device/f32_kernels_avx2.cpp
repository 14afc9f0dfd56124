// The kernels for AVX2 with fused multiply-add.
#include "engine/device/f32_tile_simd.h"

namespace seqgrad {

extern constinit const F32Kernels f32_kernels_avx2;
constinit const F32Kernels f32_kernels_avx2{"avx2", SEQGRAD_ISA::most_rows, SEQGRAD_ISA::columns, SEQGRAD_ISA::tile,
                                            SEQGRAD_ISA::lay_out};

}  // namespace seqgrad

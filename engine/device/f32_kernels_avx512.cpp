// The kernels for AVX-512.
#include "engine/device/f32_tile_simd.h"

namespace seqgrad {

extern constinit const F32Kernels f32_kernels_avx512;
constinit const F32Kernels f32_kernels_avx512{"avx512", SEQGRAD_ISA::most_rows, SEQGRAD_ISA::columns, SEQGRAD_ISA::tile,
                                              SEQGRAD_ISA::lay_out};

}  // namespace seqgrad

// Numbers of 16 bits, which no tensor here has: only what stands in a file or goes through a pipe.
#pragma once
#include <cstdint>

namespace seqgrad {

// IEEE 754 binary16, and bfloat16: a float32 without its last 16 bits.
enum class HalfKind { f16, bf16 };

// To the nearest, ties to even; what is too large becomes an infinity.
uint16_t to_half(double x, HalfKind kind);
double from_half(uint16_t bits, HalfKind kind);  // exact, in float32 too

}  // namespace seqgrad

// Which vector instructions the kernels of rows, cells and products, and oneDNN, may use: the best that this CPU has,
// or less by SEQGRAD_ISA. Loops that are marked SEQGRAD_SIMD are the loader's choice; they have the same bits in every
// set.
#pragma once
#include <cstdint>

namespace seqgrad {

enum class Isa : uint8_t { base, avx2, avx512, avx512_bf16 };
constexpr const char* name_of(Isa isa) {
  constexpr const char* names[] = {"base", "avx2", "avx512", "avx512_bf16"};
  return names[static_cast<int>(isa)];
}

// What the CPU has.
Isa cpu_isa();

// What may be used: what the CPU has, or what SEQGRAD_ISA=base|avx2|avx512 lowers it to, for tests of what other
// machines compute and for equal bits on machines that differ. Throws InputError for another word, or for more than the
// CPU has.
Isa allowed_isa();

// What is used: that of the first call, and ever after.
Isa isa();

}  // namespace seqgrad

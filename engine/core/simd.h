// Marks hot loops for compilation once per instruction set; the loader picks one for the whole process.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SEQGRAD_SIMD __attribute__((target_clones("avx512f", "avx2", "default")))
#define SEQGRAD_IVDEP _Pragma("GCC ivdep")  // no iteration of the loop reads what another writes
#else
#define SEQGRAD_IVDEP
#define SEQGRAD_SIMD  // clang 14 cannot clone templates: its builds use the base instruction set
#endif

// Marks hot loops for compilation once per instruction set; the loader picks one for the whole process.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define SEQGRAD_SIMD __attribute__((target_clones("avx512f", "avx2", "default")))
#define SEQGRAD_IVDEP _Pragma("GCC ivdep")  // no iteration of the loop reads what another writes
#else
#define SEQGRAD_IVDEP
// clang 14 cannot clone templates, and ThreadSanitizer would be called by the loader's choice before it has begun: both
// have the base instruction set.
#define SEQGRAD_SIMD
#endif

// Vectors as wide as the registers that a file is compiled for, as plain C++ (the vector extension of GCC and Clang).
// A file that includes this is built once per instruction set (`*_avx512.cpp`, `*_avx2.cpp`, `*_base.cpp`, see
// CMakeLists.txt). All of it lies in a namespace of that set, and it must call no inline function of a header that
// other files include: the linker could give theirs the wide version, on a machine that has none.
#pragma once
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <cstdint>

#if defined(__AVX512F__)
#define SEQGRAD_ISA avx512
#define SEQGRAD_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define SEQGRAD_ISA avx2
#define SEQGRAD_VECTOR_BYTES 32
#else
#define SEQGRAD_ISA base
#define SEQGRAD_VECTOR_BYTES 16
#endif

namespace seqgrad::SEQGRAD_ISA {

// value: the lanes; mask: what comparing them gives, -1 or 0; narrow: a lane for each float64 of a register.
template <class T>
struct Vec;
template <>
struct Vec<float> {
  static constexpr int64_t lanes = SEQGRAD_VECTOR_BYTES / 4;
  typedef float value __attribute__((vector_size(SEQGRAD_VECTOR_BYTES)));
  typedef int32_t mask __attribute__((vector_size(SEQGRAD_VECTOR_BYTES)));
  typedef float narrow __attribute__((vector_size(SEQGRAD_VECTOR_BYTES / 2)));
};
template <>
struct Vec<double> {
  static constexpr int64_t lanes = SEQGRAD_VECTOR_BYTES / 8;
  typedef double value __attribute__((vector_size(SEQGRAD_VECTOR_BYTES)));
  typedef int64_t mask __attribute__((vector_size(SEQGRAD_VECTOR_BYTES)));
  typedef double narrow __attribute__((vector_size(SEQGRAD_VECTOR_BYTES)));
};

using FloatVec = Vec<float>::value;
typedef uint32_t FloatBits __attribute__((vector_size(SEQGRAD_VECTOR_BYTES)));  // their sums may wrap

template <class T>
inline typename Vec<T>::value load(const T* p) {
  typename Vec<T>::value v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
template <class T>
inline void store(T* p, typename Vec<T>::value v) {
  __builtin_memcpy(p, &v, sizeof(v));
}

// The first `count` lanes, all there are or fewer; the others are `fill`.
template <class T>
inline typename Vec<T>::value load_some(const T* p, int64_t count, T fill) {
  if (count == Vec<T>::lanes) return load<T>(p);
  T lanes[Vec<T>::lanes];
  for (int64_t i = 0; i < Vec<T>::lanes; ++i) lanes[i] = i < count ? p[i] : fill;
  return load<T>(lanes);
}
template <class T>
inline void store_some(T* p, int64_t count, typename Vec<T>::value v) {
  if (count == Vec<T>::lanes) return store<T>(p, v);
  for (int64_t i = 0; i < count; ++i) p[i] = v[i];
}

// x in every lane.
inline FloatVec broadcast(float x) { return x - FloatVec{}; }

// x·y + z, rounded once where the instruction set can: of a plain expression a compiler may fuse the product in one
// place and not in another.
inline FloatVec fused(FloatVec x, FloatVec y, FloatVec z) {
#if SEQGRAD_VECTOR_BYTES == 64
  return _mm512_fmadd_ps(x, y, z);
#elif SEQGRAD_VECTOR_BYTES == 32
  return _mm256_fmadd_ps(x, y, z);
#else
  return x * y + z;
#endif
}

template <class V>
inline V min(V a, V b) {
  return a < b ? a : b;
}
template <class V>
inline V max(V a, V b) {
  return a > b ? a : b;
}

// Whether some lane of a mask, as wide as a register, is set.
template <class M>
inline bool any(M m) {
#if SEQGRAD_VECTOR_BYTES == 64
  return _mm512_test_epi64_mask((__m512i)m, (__m512i)m) != 0;
#elif SEQGRAD_VECTOR_BYTES == 32
  return _mm256_movemask_epi8((__m256i)m) != 0;
#elif defined(__SSE2__)
  return _mm_movemask_epi8((__m128i)m) != 0;
#else
  for (uint64_t i = 0; i < sizeof m / sizeof m[0]; ++i)
    if (m[i] != 0) return true;
  return false;
#endif
}

}  // namespace seqgrad::SEQGRAD_ISA

// oneDNN packs an operand in every call, and reads a transposed one at two thirds of the speed.
#include "engine/device/right_factor.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "engine/core/tape.h"
#include "engine/core/thread_pool.h"
#include "engine/device/bf16_gemm.h"
#include "engine/device/cpu_gemm.h"

namespace seqgrad {
namespace {

template <class T>
const T* transposed(int64_t k, int64_t n, const T* b, int64_t ldb) {
  T* out = Tape::current().scratch<T>(k * n, Device::cpu);
  parallel_ranges(k, 64, [=](int64_t begin, int64_t end) {
    for (int64_t i0 = 0; i0 < n; i0 += 16)  // a tile of both fits in the first cache
      for (int64_t j = begin; j < end; ++j)
        for (int64_t i = i0; i < std::min(i0 + 16, n); ++i) out[j * n + i] = b[i * ldb + j];
  });
  return out;
}

}  // namespace

template <class T>
const T* transposed_once(int64_t k, int64_t n, const T* b, int64_t ldb) {
  struct Kept {
    const T *b, *copy;
    int64_t k, n;
  };
  thread_local std::vector<Kept> all;
  thread_local uint64_t epoch = 0;
  if (epoch != Tape::current().epoch(Device::cpu)) all.clear();
  epoch = Tape::current().epoch(Device::cpu);
  for (const Kept& kept : all)
    if (kept.b == b && kept.k == k && kept.n == n) return kept.copy;
  return all.emplace_back(Kept{b, transposed(k, n, b, ldb), k, n}).copy;
}
template const float* transposed_once(int64_t, int64_t, const float*, int64_t);
template const double* transposed_once(int64_t, int64_t, const double*, int64_t);

// A single product would not earn packing back.
template <class T>
RightFactor<T>::RightFactor(bool transpose, int64_t k, int64_t n, const T* b, int64_t ldb, int64_t uses)
    : transpose_(transpose), k_(k), n_(n), ldb_(ldb), b_(b) {
  if constexpr (std::is_same_v<T, float>) {
    if (matmul_precision() == MatmulPrecision::bf16 && uses > 1) {
      uint32_t* packed = Tape::current().scratch<uint32_t>(bf16_packed_words(k, n), Device::cpu);
      bf16_pack(transpose, k, n, b, ldb, packed);
      packed_ = packed;
      return;
    }
  }
  if (!transpose) return;
  b_ = transposed_once(k, n, b, ldb);
  transpose_ = false;
  ldb_ = n;
}

template <class T>
void RightFactor<T>::multiply(int64_t m, const T* a, int64_t lda, bool add, T* c, int64_t ldc) const {
  if constexpr (std::is_same_v<T, float>)
    if (packed_) return bf16_multiply(m, n_, k_, a, lda, packed_, add, c, ldc);
  cpu_gemm(Gemm<T>{false, transpose_, m, n_, k_, a, lda, b_, ldb_, T(add), c, ldc});
}

template class RightFactor<float>;
template class RightFactor<double>;

}  // namespace seqgrad

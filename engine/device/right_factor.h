// The right factor of many products, prepared once: recurrent weights, which every time step multiplies by.
#pragma once
#include <cstdint>

namespace seqgrad {

// For use inside parallel blocks; prepared on all threads. Its memory is the current tape's, until the next reset.
template <class T>
class RightFactor {
 public:
  // op(B) [k,n], to be multiplied by `uses` times in each block; a transposed one is for products of backward.
  RightFactor(bool transpose, int64_t k, int64_t n, const T* b, int64_t ldb, int64_t uses);

  // C [m,n] = A [m,k]·op(B), or with `add` C += A·op(B), on this thread.
  void multiply(int64_t m, const T* a, int64_t lda, bool add, T* c, int64_t ldc) const;

 private:
  bool transpose_;
  int64_t k_, n_, ldb_;
  const T* b_;
  const uint32_t* packed_ = nullptr;  // in bfloat16, if products are
};

// Bᵀ [k,n] of B [n,k] (rows ldb apart), for products of backward; made once until the tape's reset, however many time
// steps ask for it.
template <class T>
const T* transposed_once(int64_t k, int64_t n, const T* b, int64_t ldb);

}  // namespace seqgrad

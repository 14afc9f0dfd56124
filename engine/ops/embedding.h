// Rows of a table by id.
#pragma once
#include "engine/core/kernel.h"
#include "engine/core/tape.h"

namespace seqgrad {

// table[ids]; an id outside [0,V) is an error. The row `padding_id` gets no gradient (-1: every row does).
Tensor embedding(const Tensor& ids /*[...] i32*/, const Tensor& table /*[V,E]*/, int64_t padding_id = -1);  // [...,E]

namespace kernels {
template <class T>
struct Embedding {
  const int32_t* ids;
  const T* table;
  T* y;
  int64_t n, width;
};
template <class T>
struct EmbeddingGrad {
  const int32_t* ids;
  const T* dy;
  T* dtable;
  int64_t n, width, padding_id;
};
template <class T>
inline constinit Kernel<Embedding<T>> embedding{"embedding"};
template <class T>
inline constinit Kernel<EmbeddingGrad<T>> embedding_grad{"embedding_grad"};
}  // namespace kernels

}  // namespace seqgrad

// Attention over the unpadded source positions.
#pragma once
#include "engine/core/host_device.h"
#include "engine/core/kernel.h"
#include "engine/core/tape.h"

namespace seqgrad {

// context[b,t] = Σ_s a[b,t,s]·values[b,s], a = softmax over s < lengths[b] of query[b,t]·keys[b,s] (Luong et al. 2015:
// `dot` with keys = values, `general` with keys = values·W). Padding is not read. `weights`, if given, receives a.
// With `source_rows`, query[b] looks at sentence source_rows[b], so that hypotheses share one: N is then any number,
// else B. That has no gradient.
Tensor attention(const Tensor& query /*[B,T,D]*/, const Tensor& keys /*[N,S,D]*/, const Tensor& values /*[N,S,C]*/,
                 const Tensor& lengths /*[N] i32, 0..S*/, Tensor* weights /*[B,T,S]*/ = nullptr,
                 const Tensor& source_rows /*[B] i32, 0..N-1, or none*/ = {});  // [B,T,C]

// One step of additive attention: scores v·tanh(query[b] + keys[b,s]) (Bahdanau et al. 2015).
Tensor additive_attention(const Tensor& query /*[B,D]*/, const Tensor& keys /*[N,S,D]*/, const Tensor& v /*[D]*/,
                          const Tensor& values /*[N,S,C]*/, const Tensor& lengths /*[N] i32*/,
                          Tensor* weights /*[B,S]*/ = nullptr,
                          const Tensor& source_rows /*[B] i32, or none*/ = {});  // [B,C]

namespace kernels {
template <class T>
struct Attention {
  const T *query, *keys, *v, *values;    // v null: dot products; else additive, with T = 1
  const int32_t *lengths, *source_rows;  // source_rows null: its own
  T *weights, *context;                  // written in full
  int64_t batch, steps, source, key_width, value_width;

  SEQGRAD_HD int64_t sentence(int64_t b) const { return source_rows ? source_rows[b] : b; }
};
template <class T>
struct AttentionGrad {
  const T *query, *keys, *v, *values, *weights, *dcontext;
  const int32_t* lengths;
  T *dquery, *dkeys, *dvalues;  // added to; null: not wanted
  T* dv;                        // [B,D] contribution of each sentence, zero-filled; null: not wanted
  T* dscores;                   // [B,T,S] scratch
  int64_t batch, steps, source, key_width, value_width;
};
template <class T>
inline constinit Kernel<Attention<T>> attention{"attention"};
template <class T>
inline constinit Kernel<AttentionGrad<T>> attention_grad{"attention_grad"};
}  // namespace kernels

}  // namespace seqgrad

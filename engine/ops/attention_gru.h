// A GRU layer whose input is joined, at each step, by what the state before it attends to (Bahdanau et al. 2015).
//   q_t = h_{t-1}·W_q + b_q    a_t = softmax_s(v·tanh(q_t + keys_s))    c_t = Σ_s a_ts·values_s
//   h_t = GRU([x_t; c_t]·W_ih + b_ih, h_{t-1}), the GRU of gru.h
// c_t·W_c, W_c the rows of W_ih for c, is Σ_s a_ts·(values_s·W_c): values are multiplied once, before the first step,
// and a step multiplies by [W_hh W_q] alone. Gradients of weights are made after the last.
#pragma once
#include "engine/core/host_device.h"
#include "engine/core/kernel.h"
#include "engine/core/tape.h"
#include "engine/device/packed_matrix.h"

namespace seqgrad {

struct AttentiveCell {
  Tensor w_ih /*[E+C,3H]*/, b_ih /*[3H]*/, w_hh /*[H,3H]*/, b_hh /*[3H]*/;  // gates in the order r, z, n
  Tensor w_query /*[H,D]*/, b_query /*[D]*/, v /*[D]*/;
};
struct AttendedSource {
  Tensor keys /*[B,S,D]*/, values /*[B,S,C]; finite beyond the lengths too*/, lengths /*[B] i32, 0..S*/;
};

// [h_t; c_t] of the first lengths[b] steps of sentence b, and 0 beyond.
Tensor attention_gru(const Tensor& x /*[B,T,E]*/, const AttentiveCell& cell, const Tensor& h0 /*[B,H]*/,
                     const AttendedSource& source, const Tensor& lengths /*[B] i32, 0..T*/);  // [B,T,H+C]

namespace kernels {
struct AttentionGruSizes {
  int64_t batch, steps, source, hidden, key_width, value_width;

  SEQGRAD_HD int64_t fused_width() const { return 3 * hidden + key_width; }  // columns of [W_hh W_q]
  SEQGRAD_HD int64_t out() const { return hidden + value_width; }
};
template <class T>
struct AttentionGru {
  AttentionGruSizes size;
  const int32_t *source_lengths, *lengths;
  const T* gx /*[B,T,3H], x·W_ih + b_ih*/;
  PackedMatrix<T> w /*[H,3H+D]*/;
  const T *b_hh, *b_query, *v, *keys, *values, *projected /*[B,S,3H]*/, *h0;
  T *y /*[B,T,H+C]*/, *weights /*[B,T,S]*/;  // written in full
  // Null: nothing is recorded. N as in gru.h.
  T *h_prev /*[N,H]*/, *query /*[N,D]*/, *saved_gates /*[N,4,H], on a GPU [4,N,H], of what is not padding*/;
};
template <class T>
struct AttentionGruGrad {
  AttentionGruSizes size;
  const int32_t *source_lengths, *lengths;
  PackedMatrix<T> wt /*[3H+D,H], the transpose of w*/;
  const T *v, *keys, *values, *projected, *weights, *h_prev, *query, *saved_gates, *dy;
  T *dgx /*[B,T,3H]*/, *dgates_hh /*[N,3H+D], of h·[W_hh W_q]*/, *dprojected /*[B,S,3H]*/;  // written in full
  T *dkeys, *dvalues, *dh0;  // added to; dvalues by the contexts of y alone; null (not dkeys): not wanted
  T* dv;                     // [B,D] contribution of each sentence, zero-filled
  T* dscores;                // [B,T,S] scratch
};
template <class T>
inline constinit Kernel<AttentionGru<T>> attention_gru{"attention_gru"};
template <class T>
inline constinit Kernel<AttentionGruGrad<T>> attention_gru_grad{"attention_gru_grad"};
}  // namespace kernels

}  // namespace seqgrad

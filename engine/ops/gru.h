// A GRU layer over whole sequences with true lengths, in PyTorch's variant (reset gate after the product).
//   r = σ(gx_r + h·W_r + b_r)   z = σ(gx_z + h·W_z + b_z)   n = tanh(gx_n + r∘(h·W_n + b_n))   h' = (1-z)∘n + z∘h
// Cho et al. 2014; the variant is that of torch.nn.GRU, cuDNN and Keras `reset_after`.
#pragma once
#include "engine/core/kernel.h"
#include "engine/core/tape.h"

namespace seqgrad {

// `gx` is the input projection x·W_ih + b_ih of all steps, gates in the order r, z, n. Sentence b runs over its first
// lengths[b] steps, from its own end backwards if `reverse`; outputs beyond them are 0 and padding is never read.
Tensor gru(const Tensor& gx /*[B,T,3H]*/, const Tensor& w_hh /*[H,3H]*/, const Tensor& b_hh /*[3H]*/,
           const Tensor& h0 /*[B,H]*/, const Tensor& lengths /*[B] i32, 0..T*/, bool reverse = false);  // [B,T,H]

namespace kernels {
template <class T>
struct Gru {
  const T *gx, *w, *b, *h0;
  const int32_t* lengths;
  T* y;       // [B,T,H], zero-filled by the caller
  T* before;  // [B,T,H] state before each step, zero-filled; null when nothing is recorded
  T* gates;   // [4,B,T,H]: r, z, n and h·W_n + b_n; null when nothing is recorded
  int64_t batch, steps, hidden;
  bool reverse;
};
template <class T>
struct GruGrad {
  const T *w, *before, *gates, *dy;
  const int32_t* lengths;
  T* dgx;  // [B,T,3H], added to; may be null
  T* dgh;  // [B,T,3H] gradient of h·W + b, zero-filled by the caller
  T* dh0;  // [B,H], added to; may be null
  int64_t batch, steps, hidden;
  bool reverse;
};
template <class T>
inline constinit Kernel<Gru<T>> gru{"gru"};
template <class T>
inline constinit Kernel<GruGrad<T>> gru_grad{"gru_grad"};
}  // namespace kernels

}  // namespace seqgrad

// A GRU layer over whole sequences with true lengths, in PyTorch's variant (reset gate after the product).
//   r = σ(gx_r + h·W_r + b_r)   z = σ(gx_z + h·W_z + b_z)   n = tanh(gx_n + r∘hn_proj)   h' = (1-z)∘n + z∘h
// where hn_proj = h·W_n + b_n.
// Cho et al. 2014; the variant is that of torch.nn.GRU, cuDNN and Keras `reset_after`.
#pragma once
#include "engine/core/host_device.h"
#include "engine/ops/weight_gradient.h"

namespace seqgrad {

// What one direction of a layer reads. `gx` is the input projection x·W_ih + b_ih of all steps, gates in the order
// r, z, n; without `h0` the first state is 0.
struct GruDirection {
  Tensor gx /*[B,T,3H]*/, w_hh /*[H,3H]*/, b_hh /*[3H]*/, h0 /*[B,H], or none*/;
};

// Sentence b runs over its first lengths[b] steps, from its own end backwards if `reverse`; outputs beyond them are 0
// and padding is never read. Span::time_step: T is 1, and other steps are calls of their own.
Tensor gru(const Tensor& gx /*[B,T,3H]*/, const Tensor& w_hh /*[H,3H]*/, const Tensor& b_hh /*[3H]*/,
           const Tensor& h0 /*[B,H], or none*/, const Tensor& lengths /*[B] i32, 0..T*/, bool reverse = false,
           Span span = Span::sequence);  // [B,T,H]

// concat(gru(forward…), gru(reverse…, true)), of which a GPU makes each step of both directions at once.
Tensor bidirectional_gru(const GruDirection& forward, const GruDirection& reverse,
                         const Tensor& lengths /*[B] i32, 0..T*/);  // [B,T,2H]

namespace kernels {
// Sizes of a layer of one or two directions (D); the second is the reverse of the first.
struct GruSizes {
  int64_t directions, batch, steps, hidden;
  int64_t reverse;  // 0 or 1, of the first direction; no padding: GCC 12 clears none behind an array of structs

  SEQGRAD_HD bool is_reverse(int64_t direction) const { return reverse != (direction == 1); }
};
template <class T>
struct Gru {
  struct Direction {
    const T* gx;
    PackedMatrix<T> w;
    const T *b, *h0;  // h0 may be null
  } of[2];
  GruSizes size;
  const int32_t* lengths;
  T* y;  // [B,T,D,H], written in full
  // What backward reads, null when nothing is recorded: on a CPU of words alone, in the order of SentenceBlocks (then N
  // is the sum of lengths); on a GPU of all positions (N is B·T).
  T* h_prev;       // [D,N,H] state before each step, 0 beyond the lengths
  T* saved_gates;  // [D,N,4,H], on a GPU [4,D,N,H]: r, z, n and hn_proj, of what is not padding
};
template <class T>
struct GruGrad {
  struct Direction {
    PackedMatrix<T> wt;  // Wᵀ
    T *dgx, *dh0;        // written; may be null
  } of[2];
  GruSizes size;
  const int32_t* lengths;
  const T *h_prev, *saved_gates, *dy;
  T* dgh;  // [D,N,3H] gradient of h·W + b, 0 beyond the lengths
};
template <class T>
inline constinit Kernel<Gru<T>> gru{"gru"};
template <class T>
inline constinit Kernel<GruGrad<T>> gru_grad{"gru_grad"};
}  // namespace kernels

}  // namespace seqgrad

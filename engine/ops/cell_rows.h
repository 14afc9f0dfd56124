// On a CPU: rows of GRU cells and of additive attention, which the ops of this folder go over sentence by sentence.
#pragma once
#include <cstdint>

namespace seqgrad {

// Sentences that a thread takes through all time steps: a function of the layer's size alone. Larger layers need taller
// blocks to amortise reading W.
inline int64_t sentences_at_once(int64_t hidden) { return hidden <= 128 ? 16 : 32; }

// next [H] from h [H], which it may be; gx, gh and bias [3H] in the order r, z, n. Also r, z, n and q = gh_n + bias_n.
template <class T>
void gru_cell(const T* gx, const T* gh, const T* bias, const T* h, T* next, T* r, T* z, T* n, T* q, int64_t hidden);
// dh [H] of the state after becomes what of it passes the gate z; dgx and dgh [3H] are written.
template <class T>
void gru_cell_grad(const T* r, const T* z, const T* n, const T* q, const T* before, T* dh, const T* dy, T* dgx, T* dgh,
                   int64_t hidden);

// v·tanh(q + k), and what a gradient d of it adds to the three.
template <class T>
T additive_score(const T* q, const T* k, const T* v, int64_t n);
template <class T>
void additive_score_grad(const T* q, const T* k, const T* v, T d, T* dq, T* dk, T* dv, int64_t n);

template <class T>
T dot(const T* x, const T* y, int64_t n);
template <class T>
void add_scaled(T a, const T* x, T* y, int64_t n);  // y += a·x
template <class T>
void softmax_row(T* x, int64_t n);

}  // namespace seqgrad

// On a CPU: rows of GRU cells and of additive attention, which the ops of this folder go over sentence by sentence.
#pragma once
#include <algorithm>
#include <cstdint>

#include "engine/core/thread_pool.h"

namespace seqgrad {

// Sentences [begin,end) that a thread takes through all time steps of one direction; none of them has more than
// `steps`.
struct SentenceBlock {
  int64_t direction, begin, end, steps;
  int64_t rows() const { return end - begin; }
};

// Larger layers need taller blocks to amortise reading W. A function of the layer's size alone.
inline int64_t sentence_block_height(int64_t hidden) { return hidden <= 128 ? 16 : 32; }

// Calls f(block) for all sentences in parallel.
template <class F>
void for_each_sentence_block(int64_t directions, int64_t batch, int64_t hidden, const int32_t* lengths, const F& f) {
  const int64_t height = sentence_block_height(hidden), blocks = (batch + height - 1) / height;
  parallel_blocks(directions * blocks, [&](int64_t i) {
    const int64_t begin = i % blocks * height, end = std::min(begin + height, batch);
    f(SentenceBlock{i / blocks, begin, end, *std::max_element(lengths + begin, lengths + end)});
  });
}

// What backward reads of a cell: r, z, n and hn_proj = h·W_n + b_n, each [H].
template <class T>
struct SavedGates {
  T *r, *z, *n, *hn_proj;

  SavedGates(T* first, int64_t stride) : r(first), z(first + stride), n(z + stride), hn_proj(n + stride) {}
};

// h [H] from h_prev [H], which it may be; gx, gh and bias [3H] in the order r, z, n.
template <class T>
void gru_cell(const T* gx, const T* gh, const T* bias, const T* h_prev, T* h, SavedGates<T> gates, int64_t hidden);
// dh [H], of h, becomes what of it passes the gate z to h_prev; dgx and dgh [3H] are written.
template <class T>
void gru_cell_grad(SavedGates<const T> gates, const T* h_prev, T* dh, const T* dy, T* dgx, T* dgh, int64_t hidden);

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

// How the recurrent ops of a CPU deal sentences to threads.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "engine/core/tensor.h"
#include "engine/core/thread_pool.h"

namespace seqgrad {

// The sentences that a thread takes through all time steps of one direction, longest first: those that have step t are
// its first live(t) ones.
struct SentenceBlock {
  int64_t direction, rows;
  const int64_t* sentences;
  int64_t first_row;    // how many sentences the blocks before it have, in all directions
  int64_t first_token;  // how many words they have: where it begins in what is kept word by word
  const int32_t* lengths;

  int64_t steps() const { return lengths[sentences[0]]; }
  int64_t end_token() const {
    return std::accumulate(sentences, sentences + rows, first_token,
                           [&](int64_t n, int64_t b) { return n + lengths[b]; });
  }
  int64_t live(int64_t t) const {
    return std::partition_point(sentences, sentences + rows, [&](int64_t b) { return lengths[b] > t; }) - sentences;
  }
};

// Larger layers need taller blocks to amortise reading W. A function of the layer's size alone.
inline int64_t sentence_block_height(int64_t hidden) { return hidden <= 128 ? 16 : 32; }

// All sentences of all directions, dealt so that blocks have about as many words each. What backward reads of each word
// lies block by block and in a block step by step, so that the words of a step, and all words, are rows of one matrix.
class SentenceBlocks {
 public:
  SentenceBlocks(int64_t directions, int64_t batch, int64_t hidden, const int32_t* lengths);

  // Calls f(block) for all in parallel.
  template <class F>
  void for_each(const F& f) const {
    parallel_blocks(std::ssize(blocks_), [&](int64_t i) { f(blocks_[static_cast<size_t>(i)]); });
  }

 private:
  int64_t tokens_ = 0;
  std::vector<int64_t> sentences_;
  std::vector<SentenceBlock> blocks_;
};

// How many rows what backward reads has, of each direction: on a CPU one of each word, on a GPU one of each position.
int64_t saved_rows(const Tensor& lengths /*[B] i32*/, int64_t steps);

}  // namespace seqgrad

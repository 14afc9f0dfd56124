// A batch as plain host memory, padded to length buckets.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/data/corpus.h"

namespace seqgrad {

struct Batch {
  int64_t batch = 0, source_steps = 0, target_steps = 0;  // B, S, T
  std::vector<int32_t> source;                            // [B,S]
  std::vector<int32_t> source_lengths;                    // [B], at least 1
  std::vector<int32_t> target_in;                         // [B,T] bos, then the target
  std::vector<int32_t> target_out;                        // [B,T] the target, then eos
  std::vector<int32_t> target_lengths;                    // [B], eos included
  std::vector<double> example_weight;                     // [B], or empty: the corpus has none
  std::vector<double> token_weight;                       // [B,T], or empty; 0 in the padding
  std::vector<uint8_t> mask;                              // [B,T], or empty; 0 in the padding
  std::vector<int64_t> sentences;                         // [B] rows of the corpus
  std::vector<int64_t> lines;                             // [B] their lines in the file, for messages

  int64_t source_tokens() const;  // real ones
  int64_t target_tokens() const;  // real ones, eos included
  double padding() const { return 1 - static_cast<double>(target_tokens()) / static_cast<double>(target_in.size()); }
};

// The rows `sentences` of the corpus, in that order, padded to the next multiples of `bucket`.
Batch make_batch(const Corpus& corpus, std::span<const int64_t> sentences, int64_t bucket);

// Sources without targets, for decoding: the target side is empty, sentences and lines count from 0 and 1.
Batch make_source_batch(std::span<const std::vector<int32_t>> sources, int64_t bucket);

}  // namespace seqgrad

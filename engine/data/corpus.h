// Sentence pairs as ids: what the batcher cuts batches from.
#pragma once
#include "engine/data/encoded_lines.h"
#include "engine/data/parallel_text.h"
#include "engine/data/tokenizer.h"

namespace seqgrad {

struct Corpus {
  std::string name;                    // "train"
  Pairs pairs;                         // as text: references, samples, tags
  std::vector<int64_t> lines;          // of each pair in its file, from 1
  EncodedLines source;                 // ids without bos and eos
  EncodedLines target;                 // the same
  std::vector<double> example_weight;  // empty, or one a pair
  bool weight_column = false;          // that they stand in, in the text itself
  Ragged<double> token_weight;         // empty, or one a target id and one for eos
  Ragged<uint8_t> mask;                // the same, 0 or 1
  Skipped skipped;

  int64_t size() const { return source.size(); }
  int64_t target_tokens() const { return target.tokens() + size(); }  // eos included
};

// Encodes both sides; a sub-word takes its word's weight and mask. Pairs with more than max_length ids on a side are
// skipped (0: no limit). `loss_from`, when not empty, masks a target up to and including the first occurrence of that
// token; a target without it, or text that is not one known token, is refused. A blank text has no ids. Nothing left is
// refused.
Corpus encode(ParallelText text, const Tokenizer& source, const Tokenizer& target, int64_t max_length = 0,
              const std::string& loss_from = "");

}  // namespace seqgrad

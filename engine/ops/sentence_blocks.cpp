// Blocks take turns at the sentences, the longest first.
#include "engine/ops/sentence_blocks.h"

#include <algorithm>
#include <numeric>

namespace seqgrad {

SentenceBlocks::SentenceBlocks(int64_t directions, int64_t batch, int64_t hidden, const int32_t* lengths) {
  std::vector<int64_t> longest_first(static_cast<size_t>(batch));
  std::iota(longest_first.begin(), longest_first.end(), int64_t{0});
  std::stable_sort(longest_first.begin(), longest_first.end(),
                   [&](int64_t a, int64_t b) { return lengths[a] > lengths[b]; });
  const int64_t height = sentence_block_height(hidden), blocks = (batch + height - 1) / height;
  sentences_.reserve(longest_first.size());
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t first_row = std::ssize(sentences_), first_token = tokens_;
    for (int64_t row = 0; row < height; ++row) {  // to and fro: who got the longer one gets the shorter one next
      const int64_t at = row * blocks + (row % 2 == 0 ? i : blocks - 1 - i);
      if (at >= batch) continue;
      sentences_.push_back(longest_first[static_cast<size_t>(at)]);
      tokens_ += lengths[sentences_.back()];
    }
    blocks_.push_back(
        {0, std::ssize(sentences_) - first_row, sentences_.data() + first_row, first_row, first_token, lengths});
  }
  const size_t of_one = blocks_.size();
  for (int64_t d = 1; d < directions; ++d)
    for (size_t i = 0; i < of_one; ++i) {
      SentenceBlock block = blocks_[i];
      block.direction = d;
      block.first_row += d * batch;
      block.first_token += d * tokens_;
      blocks_.push_back(block);
    }
}

int64_t saved_rows(const Tensor& lengths, int64_t steps) {
  const int64_t batch = lengths.shape[0];
  if (lengths.device != Device::cpu) return batch * steps;
  return std::accumulate(lengths.as<int32_t>(), lengths.as<int32_t>() + batch, int64_t{0});
}

}  // namespace seqgrad

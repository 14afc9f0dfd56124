// Shares that add up over batches, and perplexity.
#pragma once
#include <cmath>
#include <cstdint>
#include <span>
#include <string>

namespace seqgrad {

// A count of a count: merges by addition, divides once.
struct Share {
  int64_t hits = 0, total = 0;
  Share& operator+=(const Share& other) {
    hits += other.hits;
    total += other.total;
    return *this;
  }
  double value() const { return total == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(total); }  // 0 to 1
};

// Tokens predicted right at their own position, of the first lengths[b] of each row.
Share token_accuracy(std::span<const int32_t> predictions /*[B,T]*/, std::span<const int32_t> targets /*[B,T]*/,
                     std::span<const int32_t> lengths /*[B]*/);

// Lines that equal their reference, byte by byte. Refused: not as many references.
Share sequence_accuracy(std::span<const std::string> hypotheses, std::span<const std::string> references);

// exp of the mean negative log-likelihood of `tokens` tokens, end of sentence included; NaN without tokens.
inline double perplexity(double nll_sum, int64_t tokens) { return std::exp(nll_sum / static_cast<double>(tokens)); }

}  // namespace seqgrad

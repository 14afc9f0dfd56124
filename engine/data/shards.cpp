// Greedy, as for machines that take the longest job first (Graham 1969): what is over at the end is less than one
// sentence's work.
#include "engine/data/shards.h"

#include <algorithm>
#include <numeric>

namespace seqgrad {

Dealt deal(const Batch& batch, int64_t shards) {
  const auto tokens = [&](int64_t b) {
    return int64_t{batch.source_lengths[static_cast<size_t>(b)]} + batch.target_lengths[static_cast<size_t>(b)];
  };
  std::vector<int64_t> order(static_cast<size_t>(batch.batch));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return tokens(a) > tokens(b); });
  const auto most = static_cast<size_t>((batch.batch + shards - 1) / shards);
  Dealt out(static_cast<size_t>(shards));
  std::vector<int64_t> dealt(out.size());  // tokens of each shard
  for (const int64_t b : order) {
    size_t to = out.size();
    for (size_t s = 0; s < out.size(); ++s)
      if (out[s].size() < most && (to == out.size() || dealt[s] < dealt[to])) to = s;
    out[to].push_back(b);
    dealt[to] += tokens(b);
  }
  for (std::vector<int64_t>& sentences : out) std::sort(sentences.begin(), sentences.end());
  return out;
}

// Rows of `width` numbers; what the batch does not have its parts have not.
template <class T>
static std::vector<T> select_rows(const std::vector<T>& from, int64_t width, std::span<const int64_t> rows) {
  std::vector<T> out;
  if (from.empty()) return out;
  for (const int64_t r : rows) out.insert(out.end(), from.begin() + r * width, from.begin() + (r + 1) * width);
  return out;
}

Batch index_select(const Batch& batch, std::span<const int64_t> sentences) {
  const auto of_sentences = [&](const auto& from) { return select_rows(from, 1, sentences); };
  const auto of_words = [&](const auto& from) { return select_rows(from, batch.target_steps, sentences); };
  Batch out;
  out.batch = static_cast<int64_t>(sentences.size());
  out.source_steps = batch.source_steps;
  out.target_steps = batch.target_steps;
  out.source = select_rows(batch.source, batch.source_steps, sentences);
  out.source_lengths = of_sentences(batch.source_lengths);
  out.target_in = of_words(batch.target_in);
  out.target_out = of_words(batch.target_out);
  out.target_lengths = of_sentences(batch.target_lengths);
  out.example_weight = of_sentences(batch.example_weight);
  out.token_weight = of_words(batch.token_weight);
  out.mask = of_words(batch.mask);
  out.sentences = of_sentences(batch.sentences);
  out.lines = of_sentences(batch.lines);
  return out;
}

std::vector<Batch> shards_of(std::span<const Batch> batches, int64_t shards) {
  std::vector<Batch> out;
  for (const Batch& batch : batches)
    for (const std::vector<int64_t>& sentences : deal(batch, shards)) out.push_back(index_select(batch, sentences));
  return out;
}

double imbalance(std::span<const Batch> batches, int64_t shards) {
  int64_t all = 0, largest = 0;
  for (const Batch& batch : batches) {
    int64_t most = 0;
    for (const Batch& shard : shards_of({&batch, 1}, shards))
      most = std::max(most, shard.source_tokens() + shard.target_tokens());
    all += batch.source_tokens() + batch.target_tokens();
    largest += most;
  }
  return largest == 0 ? 0 : 1 - static_cast<double>(all) / static_cast<double>(shards * largest);
}

}  // namespace seqgrad

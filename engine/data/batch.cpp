// Filling the padded arrays of a batch.
#include "engine/data/batch.h"

#include <algorithm>
#include <numeric>

namespace seqgrad {

static int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

int64_t Batch::source_tokens() const {
  return std::accumulate(source_lengths.begin(), source_lengths.end(), int64_t{0});
}
int64_t Batch::target_tokens() const {
  return std::accumulate(target_lengths.begin(), target_lengths.end(), int64_t{0});
}

static void fill_source(Batch& batch, int64_t bucket, std::span<const std::vector<int32_t>> rows) {
  for (const std::vector<int32_t>& row : rows) {
    batch.source_lengths.push_back(static_cast<int32_t>(row.size()));
    batch.source_steps = std::max<int64_t>(batch.source_steps, batch.source_lengths.back());
  }
  batch.source_steps = round_up(batch.source_steps, bucket);
  batch.source.assign(batch.batch * batch.source_steps, pad_id);
  auto at = batch.source.begin();
  for (const std::vector<int32_t>& row : rows) {
    std::copy(row.begin(), row.end(), at);
    at += batch.source_steps;
  }
}

Batch make_batch(const Corpus& corpus, std::span<const int64_t> sentences, int64_t bucket) {
  Batch out;
  out.batch = static_cast<int64_t>(sentences.size());
  out.sentences.assign(sentences.begin(), sentences.end());
  std::vector<std::vector<int32_t>> sources;
  for (const int64_t i : sentences) {
    sources.push_back(corpus.source[i]);
    out.lines.push_back(corpus.lines[i]);
    out.target_lengths.push_back(static_cast<int32_t>(corpus.target.length(i) + 1));
    out.target_steps = std::max<int64_t>(out.target_steps, out.target_lengths.back());
    if (!corpus.example_weight.empty()) out.example_weight.push_back(corpus.example_weight[i]);
  }
  fill_source(out, bucket, sources);
  const int64_t T = out.target_steps = round_up(out.target_steps, bucket);
  out.target_in.assign(out.batch * T, pad_id);
  out.target_out.assign(out.batch * T, pad_id);
  if (!corpus.token_weight.empty()) out.token_weight.assign(out.batch * T, 0.0);
  if (!corpus.mask.empty()) out.mask.assign(out.batch * T, 0);
  for (int64_t b = 0; b < out.batch; ++b) {
    const int64_t i = sentences[b], row = b * T;
    const auto target = corpus.target[i];
    out.target_in[row] = bos_id;
    std::copy(target.begin(), target.end(), out.target_in.begin() + row + 1);
    std::copy(target.begin(), target.end(), out.target_out.begin() + row);
    out.target_out[row + static_cast<int64_t>(target.size())] = eos_id;
    if (!out.token_weight.empty()) {
      const auto weights = corpus.token_weight[i];
      std::copy(weights.begin(), weights.end(), out.token_weight.begin() + row);
    }
    if (!out.mask.empty()) {
      const auto mask = corpus.mask[i];
      std::copy(mask.begin(), mask.end(), out.mask.begin() + row);
    }
  }
  return out;
}

Batch make_source_batch(std::span<const std::vector<int32_t>> sources, int64_t bucket) {
  Batch out;
  out.batch = static_cast<int64_t>(sources.size());
  fill_source(out, bucket, sources);
  for (int64_t b = 0; b < out.batch; ++b) {
    out.sentences.push_back(b);
    out.lines.push_back(b + 1);
  }
  return out;
}

}  // namespace seqgrad

// N-gram matches of each sentence, summed over the corpus before anything is divided.
#include "engine/metrics/bleu.h"

#include <algorithm>
#include <cmath>

#include "engine/core/thread_pool.h"
#include "engine/metrics/ngrams.h"
#include "engine/text/unicode.h"
#include "engine/text/words.h"

namespace seqgrad {
namespace {

constexpr size_t orders = 4;
using Words = std::vector<std::string_view>;

std::string prepared(std::string_view line, const BleuOptions& options) {
  return options.lowercase ? tokenize(to_lower(line), options.tokens) : tokenize(line, options.tokens);
}

struct Counts {
  std::array<int64_t, orders> correct{}, total{};
  int64_t hypothesis_tokens = 0, reference_tokens = 0, longest_reference = 0;
  void add(const Counts& other) {
    for (size_t n = 0; n < orders; ++n) {
      correct[n] += other.correct[n];
      total[n] += other.total[n];
    }
    hypothesis_tokens += other.hypothesis_tokens;
    reference_tokens += other.reference_tokens;
    longest_reference = std::max(longest_reference, other.longest_reference);
  }
};

void count_matches(const Words& hypothesis, const std::vector<Words>& references, Counts& counts) {
  const Ngrams<std::string_view> ours(hypothesis, orders);
  std::vector<Ngrams<std::string_view>> theirs;
  for (const Words& reference : references) theirs.emplace_back(reference, orders);
  for (size_t n = 1; n <= orders; ++n)
    ours.each(n, [&](std::span<const std::string_view> words, int64_t often) {
      int64_t most = 0;
      for (const auto& reference : theirs) most = std::max(most, reference.count(words));
      counts.total[n - 1] += often;
      counts.correct[n - 1] += std::min(often, most);
    });
}

size_t closest_length(size_t hypothesis, const std::vector<Words>& references) {
  const auto rank = [&](const Words& r) {
    return std::pair(std::max(hypothesis, r.size()) - std::min(hypothesis, r.size()), r.size());
  };
  return std::min_element(references.begin(), references.end(),
                          [&](const Words& a, const Words& b) { return rank(a) < rank(b); })
      ->size();
}

Counts count(const Words& hypothesis, const std::vector<std::string>& references) {
  Counts counts;
  std::vector<Words> wanted;
  for (const std::string& text : references) {
    wanted.push_back(split_whitespace(text));
    counts.longest_reference = std::max(counts.longest_reference, static_cast<int64_t>(wanted.back().size()));
  }
  counts.hypothesis_tokens = static_cast<int64_t>(hypothesis.size());
  counts.reference_tokens = static_cast<int64_t>(closest_length(hypothesis.size(), wanted));
  count_matches(hypothesis, wanted, counts);
  return counts;
}

Bleu bleu_of(const Counts& counts) {
  Bleu bleu;
  bleu.hypothesis_tokens = counts.hypothesis_tokens;
  bleu.reference_tokens = counts.reference_tokens;
  bleu.longest_reference = counts.longest_reference;
  if (bleu.hypothesis_tokens < bleu.reference_tokens)
    bleu.brevity_penalty =
        bleu.hypothesis_tokens > 0
            ? std::exp(1 - static_cast<double>(bleu.reference_tokens) / static_cast<double>(bleu.hypothesis_tokens))
            : 0;
  if (counts.correct[0] == 0) return bleu;  // no match of one token, so none of more
  double log_sum = 0, smooth = 1;
  for (size_t n = 0; n < orders; ++n) {
    const auto correct = static_cast<double>(counts.correct[n]), total = static_cast<double>(counts.total[n]);
    if (total == 0) return bleu;  // no sentence is long enough: a precision of 0
    if (correct == 0) smooth *= 2;
    bleu.precisions[n] = correct > 0 ? 100.0 * correct / total : 100.0 / (smooth * total);
    log_sum += std::log(bleu.precisions[n]);
  }
  bleu.score = bleu.brevity_penalty * std::exp(log_sum / 4);
  return bleu;
}

}  // namespace

Bleu corpus_bleu(std::span<const std::string> hypotheses, References references, const BleuOptions& options) {
  check_corpus("BLEU", hypotheses, references);
  std::vector<Counts> sentences(hypotheses.size());
  parallel_blocks(std::ssize(sentences), [&](int64_t block) {
    const auto i = static_cast<size_t>(block);
    const std::string hypothesis = prepared(hypotheses[i], options);
    std::vector<std::string> texts;
    for (const auto& document : references) texts.push_back(prepared(document[i], options));
    sentences[i] = count(split_whitespace(hypothesis), texts);
  });
  Counts all;
  for (const Counts& sentence : sentences) all.add(sentence);
  return bleu_of(all);
}

std::string bleu_signature(const BleuOptions& options, size_t references) {
  return fmt::format("nrefs:{}|case:{}|eff:no|tok:{}|smooth:exp|version:{}", references,
                     options.lowercase ? "lc" : "mixed", name_of(options.tokens), sacrebleu_version);
}

}  // namespace seqgrad

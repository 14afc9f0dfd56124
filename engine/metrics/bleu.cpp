// N-gram matches of each sentence, summed over the corpus before anything is divided.
#include "engine/metrics/bleu.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/text/unicode.h"
#include "engine/text/words.h"

namespace seqgrad {
namespace {

constexpr size_t orders = 4;
using Words = std::vector<std::string_view>;
using Ngrams = std::map<Words, int64_t>;

std::string prepared(std::string_view line, const BleuOptions& options) {
  return options.lowercase ? tokenize(to_lower(line), options.tokens) : tokenize(line, options.tokens);
}

Ngrams ngrams(const Words& words, size_t n) {
  Ngrams counts;
  for (size_t i = 0; i + n <= words.size(); ++i) ++counts[{words.begin() + i, words.begin() + i + n}];
  return counts;
}

struct Counts {
  std::array<int64_t, orders> correct{}, total{};
};

void count_matches(const Words& hypothesis, const std::vector<Words>& references, Counts& counts) {
  for (size_t n = 1; n <= orders; ++n) {
    Ngrams theirs;
    for (const Words& reference : references)
      for (const auto& [words, count] : ngrams(reference, n)) theirs[words] = std::max(theirs[words], count);
    for (const auto& [words, count] : ngrams(hypothesis, n)) {
      counts.total[n - 1] += count;
      const auto match = theirs.find(words);
      if (match != theirs.end()) counts.correct[n - 1] += std::min(count, match->second);
    }
  }
}

size_t closest_length(size_t hypothesis, const std::vector<Words>& references) {
  const auto rank = [&](const Words& r) {
    return std::pair(std::max(hypothesis, r.size()) - std::min(hypothesis, r.size()), r.size());
  };
  return std::min_element(references.begin(), references.end(),
                          [&](const Words& a, const Words& b) { return rank(a) < rank(b); })
      ->size();
}

void finish(Bleu& bleu, const Counts& counts) {
  if (bleu.hypothesis_tokens < bleu.reference_tokens)
    bleu.brevity_penalty =
        bleu.hypothesis_tokens > 0
            ? std::exp(1 - static_cast<double>(bleu.reference_tokens) / static_cast<double>(bleu.hypothesis_tokens))
            : 0;
  if (counts.correct[0] == 0) return;  // no match of one token, so none of more
  double log_sum = 0, smooth = 1;
  for (size_t n = 0; n < orders; ++n) {
    const auto correct = static_cast<double>(counts.correct[n]), total = static_cast<double>(counts.total[n]);
    if (total == 0) return;  // no sentence is long enough: a precision of 0
    if (correct == 0) smooth *= 2;
    bleu.precisions[n] = correct > 0 ? 100.0 * correct / total : 100.0 / (smooth * total);
    log_sum += std::log(bleu.precisions[n]);
  }
  bleu.score = bleu.brevity_penalty * std::exp(log_sum / 4);
}

}  // namespace

Bleu corpus_bleu(std::span<const std::string> hypotheses, References references, const BleuOptions& options) {
  check_corpus("BLEU", hypotheses, references);
  Bleu bleu;
  Counts counts;
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    const std::string hypothesis = prepared(hypotheses[i], options);
    const Words words = split_whitespace(hypothesis);
    std::vector<std::string> texts;
    for (const auto& document : references) texts.push_back(prepared(document[i], options));
    std::vector<Words> wanted;
    for (const std::string& text : texts) {
      wanted.push_back(split_whitespace(text));
      bleu.longest_reference = std::max(bleu.longest_reference, static_cast<int64_t>(wanted.back().size()));
    }
    bleu.hypothesis_tokens += static_cast<int64_t>(words.size());
    bleu.reference_tokens += static_cast<int64_t>(closest_length(words.size(), wanted));
    count_matches(words, wanted, counts);
  }
  finish(bleu, counts);
  return bleu;
}

std::string bleu_signature(const BleuOptions& options, size_t references) {
  return fmt::format("nrefs:{}|case:{}|eff:no|tok:{}|smooth:exp|version:{}", references,
                     options.lowercase ? "lc" : "mixed", name_of(options.tokens), sacrebleu_version);
}

}  // namespace seqgrad

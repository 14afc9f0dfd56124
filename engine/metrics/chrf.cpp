// Character n-gram matches of each sentence, summed over the corpus before anything is divided.
#include "engine/metrics/chrf.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "engine/core/thread_pool.h"
#include "engine/metrics/ngrams.h"
#include "engine/text/unicode.h"
#include "engine/text/utf8.h"
#include "engine/text/words.h"

namespace seqgrad {
namespace {

constexpr size_t orders = 6;

// The characters that are not white space, each as the number that its bytes spell.
std::u32string characters(std::string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    if (const size_t gap = whitespace_length(rest); gap > 0) {
      i += gap;
      continue;
    }
    const size_t length = std::max<size_t>(1, utf8_length(rest));
    char32_t code = 0;
    for (size_t k = 0; k < length; ++k) code = code << 8 | static_cast<unsigned char>(rest[k]);
    out += code;
    i += length;
  }
  return out;
}

// How many n-grams of each order there are on both sides, and how many match.
struct Counts {
  std::array<int64_t, orders> hypothesis{}, reference{}, matches{};
  Counts& operator+=(const Counts& other) {
    for (size_t n = 0; n < orders; ++n) {
      hypothesis[n] += other.hypothesis[n];
      reference[n] += other.reference[n];
      matches[n] += other.matches[n];
    }
    return *this;
  }
};

Counts count(const Ngrams<char32_t>& ours, const std::u32string& reference) {
  Counts counts;
  const Ngrams<char32_t> theirs(reference, orders);
  for (size_t n = 1; n <= orders && n <= reference.size(); ++n) {  // an order that the reference lacks counts nowhere
    ours.each(n, [&](std::span<const char32_t> ngram, int64_t often) {
      counts.hypothesis[n - 1] += often;
      counts.matches[n - 1] += std::min(often, theirs.count(ngram));
    });
    counts.reference[n - 1] += static_cast<int64_t>(reference.size() - n + 1);
  }
  return counts;
}

double score(const Counts& counts) {
  double precision = 0, recall = 0;
  int effective = 0;
  for (size_t n = 0; n < orders; ++n) {
    if (counts.hypothesis[n] == 0 || counts.reference[n] == 0) continue;
    precision += static_cast<double>(counts.matches[n]) / static_cast<double>(counts.hypothesis[n]);
    recall += static_cast<double>(counts.matches[n]) / static_cast<double>(counts.reference[n]);
    ++effective;
  }
  if (precision + recall == 0) return 0;
  precision /= effective;
  recall /= effective;
  constexpr double beta2 = 4;
  return 100 * (1 + beta2) * precision * recall / (beta2 * precision + recall);
}

}  // namespace

double corpus_chrf(std::span<const std::string> hypotheses, References references, const ChrfOptions& options) {
  check_corpus("chrF", hypotheses, references);
  const auto prepared = [&](const std::string& line) { return characters(options.lowercase ? to_lower(line) : line); };
  std::vector<Counts> counts(hypotheses.size());
  parallel_blocks(std::ssize(counts), [&](int64_t block) {
    const auto i = static_cast<size_t>(block);
    const std::u32string hypothesis = prepared(hypotheses[i]);
    const Ngrams<char32_t> ours(hypothesis, orders);
    counts[i] = count(ours, prepared(references[0][i]));
    for (const auto& document : references.subspan(1)) {
      const Counts other = count(ours, prepared(document[i]));
      if (score(other) > score(counts[i])) counts[i] = other;
    }
  });
  Counts all;
  for (const Counts& sentence : counts) all += sentence;
  return score(all);
}

std::string chrf_signature(const ChrfOptions& options, size_t references) {
  return fmt::format("nrefs:{}|case:{}|eff:yes|nc:6|nw:0|space:no|version:{}", references,
                     options.lowercase ? "lc" : "mixed", sacrebleu_version);
}

}  // namespace seqgrad

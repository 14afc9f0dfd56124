// Character n-gram matches of each sentence, summed over the corpus before anything is divided.
#include "engine/metrics/chrf.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

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

using Ngrams = std::unordered_map<std::u32string_view, int64_t>;

Ngrams ngrams(std::u32string_view text, size_t n) {
  Ngrams counts;
  for (size_t i = 0; i + n <= text.size(); ++i) ++counts[text.substr(i, n)];
  return counts;
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

Counts count(std::u32string_view hypothesis, std::u32string_view reference) {
  Counts counts;
  for (size_t n = 1; n <= orders && n <= reference.size(); ++n) {  // an order that the reference lacks counts nowhere
    const Ngrams theirs = ngrams(reference, n);
    for (const auto& entry : ngrams(hypothesis, n)) {
      counts.hypothesis[n - 1] += entry.second;
      const auto match = theirs.find(entry.first);
      if (match != theirs.end()) counts.matches[n - 1] += std::min(entry.second, match->second);
    }
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
  Counts all;
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    const std::u32string hypothesis = prepared(hypotheses[i]);
    Counts best = count(hypothesis, prepared(references[0][i]));
    for (const auto& document : references.subspan(1)) {
      const Counts other = count(hypothesis, prepared(document[i]));
      if (score(other) > score(best)) best = other;
    }
    all += best;
  }
  return score(all);
}

std::string chrf_signature(const ChrfOptions& options, size_t references) {
  return fmt::format("nrefs:{}|case:{}|eff:yes|nc:6|nw:0|space:no|version:{}", references,
                     options.lowercase ? "lc" : "mixed", sacrebleu_version);
}

}  // namespace seqgrad

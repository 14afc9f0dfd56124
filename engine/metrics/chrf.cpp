// Character n-gram matches of each sentence, summed over the corpus before anything is divided.
#include "engine/metrics/chrf.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

#include "engine/core/utf8.h"
#include "engine/data/lowercase.h"
#include "engine/metrics/sacrebleu.h"
#include "engine/metrics/whitespace.h"

namespace seqgrad {

constexpr size_t orders = 6;

// The characters that are not white space, each as the number that its bytes spell.
static std::u32string characters(std::string_view text) {
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

static Ngrams ngrams(std::u32string_view text, size_t n) {
  Ngrams counts;
  for (size_t i = 0; i + n <= text.size(); ++i) ++counts[text.substr(i, n)];
  return counts;
}

double corpus_chrf(std::span<const std::string> hypotheses, std::span<const std::string> references,
                   const ChrfOptions& options) {
  check_corpus("chrF", hypotheses, references);
  std::array<int64_t, orders> of_hypothesis{}, of_reference{}, matches{};
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    const auto prepared = [&](const std::string& line) {
      return characters(options.lowercase ? lowercase(line) : line);
    };
    const std::u32string hypothesis = prepared(hypotheses[i]), reference = prepared(references[i]);
    for (size_t n = 1; n <= orders && n <= reference.size(); ++n) {  // an order that the reference lacks counts nowhere
      const Ngrams ours = ngrams(hypothesis, n), theirs = ngrams(reference, n);
      for (const auto& entry : ours) {
        of_hypothesis[n - 1] += entry.second;
        const auto match = theirs.find(entry.first);
        if (match != theirs.end()) matches[n - 1] += std::min(entry.second, match->second);
      }
      of_reference[n - 1] += static_cast<int64_t>(reference.size() - n + 1);
    }
  }
  double precision = 0, recall = 0;
  int effective = 0;
  for (size_t n = 0; n < orders; ++n) {
    if (of_hypothesis[n] == 0 || of_reference[n] == 0) continue;
    precision += static_cast<double>(matches[n]) / static_cast<double>(of_hypothesis[n]);
    recall += static_cast<double>(matches[n]) / static_cast<double>(of_reference[n]);
    ++effective;
  }
  if (precision + recall == 0) return 0;
  precision /= effective;
  recall /= effective;
  constexpr double beta2 = 4;
  return 100 * (1 + beta2) * precision * recall / (beta2 * precision + recall);
}

std::string chrf_signature(const ChrfOptions& options) {
  return fmt::format("nrefs:1|case:{}|eff:yes|nc:6|nw:0|space:no|version:{}", options.lowercase ? "lc" : "mixed",
                     sacrebleu_version);
}

}  // namespace seqgrad

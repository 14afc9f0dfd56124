// BLEU of a corpus, equal to sacreBLEU's corpus_bleu.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "engine/metrics/bleu_tokens.h"
#include "engine/metrics/sacrebleu.h"

namespace seqgrad {

struct BleuOptions {
  BleuTokens tokens = BleuTokens::mteval_13a;
  bool lowercase = false;  // both sides, by to_lower() of engine/text
};

struct Bleu {
  double score = 0;                    // 0 to 100
  std::array<double, 4> precisions{};  // of 1 to 4 tokens, in percent, smoothed
  double brevity_penalty = 1;
  int64_t hypothesis_tokens = 0, reference_tokens = 0;
  int64_t longest_reference = 0;  // in tokens
  // Whether the score says anything: BLEU counts n-grams of up to four tokens, and where no reference has one of four
  // the best translation gets 0.
  bool defined() const { return longest_reference >= 4; }
};

// Papineni et al. 2002: brevity penalty times the geometric mean of n-gram precisions, n = 1 to 4. Of several
// references a sentence counts the largest number of each n-gram and the length nearest to the hypothesis's, of equals
// the shorter. Where no n-gram of an order matches, the precision is 100 / (2^k·total) at the k-th such order (`exp`,
// NIST); where there is none of an order the score is 0. Refused: no sentences, or not as many references.
Bleu corpus_bleu(std::span<const std::string> hypotheses, References references, const BleuOptions& options = {});

// "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:…" with the version of sacreBLEU that the scores equal.
std::string bleu_signature(const BleuOptions& options = {}, size_t references = 1);

}  // namespace seqgrad

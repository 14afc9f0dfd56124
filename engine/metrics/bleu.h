// BLEU of a corpus with one reference a sentence, equal to sacreBLEU's corpus_bleu.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace seqgrad {

struct BleuOptions {
  enum class Tokens { mteval_13a, none };  // `none`: the text's own white space
  Tokens tokens = Tokens::mteval_13a;
  bool lowercase = false;  // both sides, by lowercase() of engine/data
};

struct Bleu {
  double score = 0;                    // 0 to 100
  std::array<double, 4> precisions{};  // of 1 to 4 tokens, in percent, smoothed
  double brevity_penalty = 1;
  int64_t hypothesis_tokens = 0, reference_tokens = 0;
};

// Papineni et al. 2002: brevity penalty times the geometric mean of n-gram precisions, n = 1 to 4. Where no n-gram of
// an order matches, the precision is 100 / (2^k·total) at the k-th such order (`exp`, NIST); where there is none of an
// order the score is 0. Refused: no sentences, or not as many references.
Bleu corpus_bleu(std::span<const std::string> hypotheses, std::span<const std::string> references,
                 const BleuOptions& options = {});

// "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:…" with the version of sacreBLEU that the scores equal.
std::string bleu_signature(const BleuOptions& options = {});

// The tokens of mteval-v13a, separated by single spaces.
std::string tokenize_13a(std::string_view line);

}  // namespace seqgrad

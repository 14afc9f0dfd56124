// chrF2 of a corpus with one reference a sentence, equal to sacreBLEU's corpus_chrf.
#pragma once
#include <span>
#include <string>

namespace seqgrad {

struct ChrfOptions {
  bool lowercase = false;  // both sides, by lowercase() of engine/data
};

// Popović 2015: F-score (recall counts 4 times as much as precision) of n-grams of characters without white space, n =
// 1 to 6; precision and recall are averaged over the orders that both sides have. 0 to 100. Refused: no sentences, or
// not as many references.
double corpus_chrf(std::span<const std::string> hypotheses, std::span<const std::string> references,
                   const ChrfOptions& options = {});

// "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:…" with the version of sacreBLEU that the scores equal.
std::string chrf_signature(const ChrfOptions& options = {});

}  // namespace seqgrad

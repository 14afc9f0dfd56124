// chrF2 of a corpus, equal to sacreBLEU's corpus_chrf.
#pragma once
#include <span>
#include <string>

#include "engine/metrics/sacrebleu.h"

namespace seqgrad {

struct ChrfOptions {
  bool lowercase = false;  // both sides, by to_lower() of engine/text
};

// Popović 2015: F-score (recall counts 4 times as much as precision) of n-grams of characters without white space, n =
// 1 to 6; precision and recall are averaged over the orders that both sides have. Of several references a sentence
// counts with the one that alone gives it the best score, the first of equals. 0 to 100. Refused: no sentences, or not
// as many references.
double corpus_chrf(std::span<const std::string> hypotheses, References references, const ChrfOptions& options = {});

// "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:…" with the version of sacreBLEU that the scores equal.
std::string chrf_signature(const ChrfOptions& options = {}, size_t references = 1);

}  // namespace seqgrad

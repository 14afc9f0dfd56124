// What the metrics that equal sacreBLEU's have in common.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "engine/core/error.h"

namespace seqgrad {

inline constexpr const char* sacrebleu_version = "2.6.0";  // that tests/golden/bleu.json was recorded with

// Reference translations, one document after another: references[r][i] is the r-th of sentence i.
using References = std::span<const std::vector<std::string>>;

inline void check_corpus(const char* metric, std::span<const std::string> hypotheses, References references) {
  if (references.empty()) refuse("{}: there is no reference", metric);
  for (const std::vector<std::string>& document : references)
    if (hypotheses.size() != document.size() || hypotheses.empty())
      refuse("{}: {} hypotheses for {} references; there must be one for each, and at least one", metric,
             hypotheses.size(), document.size());
}

}  // namespace seqgrad

// What the metrics that equal sacreBLEU's have in common.
#pragma once
#include <span>
#include <string>

#include "engine/core/error.h"

namespace seqgrad {

inline constexpr const char* sacrebleu_version = "2.6.0";  // that tests/golden/bleu.json was recorded with

inline void check_corpus(const char* metric, std::span<const std::string> hypotheses,
                         std::span<const std::string> references) {
  if (hypotheses.size() != references.size() || hypotheses.empty())
    refuse("{}: {} hypotheses for {} references; there must be one for each, and at least one", metric,
           hypotheses.size(), references.size());
}

}  // namespace seqgrad

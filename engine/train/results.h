// An evaluation as records and lines have it.
#pragma once
#include <string>

#include "engine/io/metric_log.h"
#include "engine/train/evaluate.h"

namespace seqgrad {

// Under the names of `evaluate --json`; "loss.NAME" for each preset beside the loss. NaN: there is no such number.
Metrics metrics_of(const Evaluation& e, const std::vector<ComparedPreset>& compare);

// "exact 98.7 %  BLEU 99.1"; where no sentence has the four words that BLEU looks at: "exact 98.7 %  BLEU n/a
// chrF 97.2".
std::string scores_text(const Evaluation& e);

}  // namespace seqgrad

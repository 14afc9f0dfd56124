// Every reduction that may explain a number: the presets that fit a case's inputs, then every axis and divisor.
#pragma once
#include <string>
#include <vector>

#include "engine/loss/live_rows.h"

namespace seqgrad {

struct Reduction {
  std::string name;  // a preset's, with its flags, or the form: "{over: all, divide: weight}"
  LossOptions options;
  bool exponential = false;  // what a peer prints is exp of the value
};

// `options` give what a name leaves open: the row loss.
std::vector<Reduction> reductions_of(const LossInputs& inputs, const LossOptions& options);

// "{over: all, divide: active}", with an epsilon in the divisor where there is one.
std::string form_of(const LossOptions& options);
// "Σ ωℓ / (B·T), all cells, padding included".
std::string sentence_of(const LossOptions& options);
// What a divisor counts, for people: "active tokens"; of a nested form with a comma.
std::string words_of(const Divide& divide);
// "divisor:positions", "axis:time": how a reduction is told that is not the one meant (findings.h).
std::string id_of(const LossOptions& options);

}  // namespace seqgrad

// What can be wrong with a loss, by name: a closed table, that reports and tests refer to.
#pragma once
#include <span>
#include <string>

#include "engine/loss/options.h"

namespace seqgrad {

struct FindingInfo {
  const char* id;        // "divisor:positions"
  const char* sentence;  // what is done
  // PyTorch that does it, and what mends it: expressions of what `findings_given` defines. {loss} is the loss that is
  // meant, of per-token losses `nll`. Empty where no line of the loss itself is to blame.
  const char* code;
  const char* mend;
};

std::span<const FindingInfo> findings();
const FindingInfo& finding(const std::string& id);  // throws InputError for an unknown one

// What code and mends are written with: logits, targets, mask, weights, and `nll`, which no padding reaches.
extern const char* const findings_given;

// The lines that mend it, for the loss that is meant; a mean over tokens where there is none.
std::string mend_of(const FindingInfo& finding, const LossOptions* meant = nullptr);

}  // namespace seqgrad

// What people do wrong, one thing at a time, as changes of a case's inputs: a new one is one row of the table.
#pragma once
#include <span>

#include "engine/check/run_case.h"

namespace seqgrad {

struct CaseVariant {
  LossInputs inputs;
  LossOptions options;
  CaseArrays arrays;
  std::string words;
};
CaseVariant unchanged(const LossCase& c, const CaseInputs& in);

struct Change {
  const char* words;                                                             // "with the token weights left out"
  bool (*apply)(const LossCase& c, const CaseInputs& in, CaseVariant& changed);  // false: it would change nothing
};
std::span<const Change> changes();

}  // namespace seqgrad

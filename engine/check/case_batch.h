// A case as a batch that the search for a loss's name takes.
#pragma once
#include "engine/check/run_case.h"
#include "engine/naming/naming.h"

namespace seqgrad {

LossBatch batch_of(const LossCase& c, const CaseInputs& in);

// Which loss gives every case's gold.value: lines for people as `loss --which` prints them. `fits` says whether one
// does. Throws InputError where a case has no gold.value, or another prediction than the first.
struct NamedCases {
  Naming naming;
  bool fits = false;
};
NamedCases name_cases(const std::vector<LossCase>& cases);
std::vector<std::string> lines_of(const Naming& naming, size_t cases, size_t most_names);

}  // namespace seqgrad

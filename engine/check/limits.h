// How near a case's results must be to its gold: the limits of engine/loss/README.md, Precision, or what the case says
// itself.
#pragma once
#include "engine/check/compare.h"
#include "engine/check/run_case.h"

namespace seqgrad {

// For the gold of this name. A case that runs in a coarser dtype than its tensors have gets that dtype's limits where
// they are wider than its own.
Limits limits_of(const LossCase& c, const CaseRun& run, const Values& want);

}  // namespace seqgrad

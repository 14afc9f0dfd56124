// How near a case's results must be to its gold: the limits of engine/loss/README.md, Precision, or what the case says
// itself.
#pragma once
#include "engine/check/compare.h"
#include "engine/check/run_case.h"

namespace seqgrad {

// Every number of the gold is a float32; so are those that were computed in float32.
bool is_gold_float32(const LossCase& c);

// The dtype in which the gold was computed: what the case says, else "f32" where every number of it is a float32, else
// "device", which is taken for exact.
std::string class_of_gold(const LossCase& c);

// What the case itself says of the gold of this name, in place of its class's limits.
std::optional<GoldTolerance> own_tolerance(const LossCase& c, const std::string& name);

// For the gold of this name. A case that runs in a coarser dtype than its tensors have gets that dtype's limits where
// they are wider than its own.
Limits limits_of(const LossCase& c, const CaseRun& run, const Values& want);

}  // namespace seqgrad

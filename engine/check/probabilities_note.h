// Logits that are probabilities, which the loss would put through a softmax once more.
#pragma once
#include "engine/check/run_case.h"

namespace seqgrad {

// What to say where every live row of logits x [B,T,V] ([T,B,V] where `time_major`) is a distribution; else "".
std::string probabilities_note(const LossOptions& options, const LiveRows& rows, const std::vector<double>& x,
                               bool time_major = false);
std::string probabilities_note(const LossCase& c, const CaseRun& run);

}  // namespace seqgrad

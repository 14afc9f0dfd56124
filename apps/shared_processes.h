// The processes that share a command's work.
#pragma once
#include "engine/comm/processes.h"

namespace seqgrad {

// For commands whose work can be shared, once. All but the first process say nothing from then on, but for errors that
// are theirs alone; all use the same instruction set.
Processes& shared_processes();

}  // namespace seqgrad

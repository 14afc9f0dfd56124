// Equal numbers in the models of all processes.
#pragma once
#include "engine/comm/processes.h"
#include "engine/nn/parameters.h"

namespace seqgrad {

// Values and moments of the first process's store, into those of all others, which have the same parameters.
void broadcast(Processes& processes, ParameterStore& store);

}  // namespace seqgrad

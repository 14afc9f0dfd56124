// The processes that share a command's work.
#pragma once
#include <functional>

#include "engine/comm/processes.h"
#include "engine/core/error.h"

namespace seqgrad {

// For commands whose work can be shared, once. All but the first process say nothing from then on, but for errors that
// are theirs alone; all use the same instruction set.
Processes& shared_processes();

// For an error of this process before that. Throws an AgreedError where several processes were started: all of them
// have it, or those that come to shared_processes() hear of it there. Returns where there are no others, or nothing
// connects them; `if_nobody_comes` is called by another thread where they do not come within 20 seconds, since some do
// something else, and ends the process.
void tell_all(const InputError& error, const std::function<void()>& if_nobody_comes);

}  // namespace seqgrad

// Threads that stand for processes, over shared memory: what is shared among processes can be tested in one.
#pragma once
#include <functional>

#include "engine/comm/processes.h"

namespace seqgrad {

// What ends each thread when one of them has called abandon(code).
struct Abandoned {
  int code;
};

// Runs f(processes) once for each of `count`, each in a thread of its own, and returns when all are through. Where some
// throw, the others' calls throw Abandoned from then on, and the first of what else was thrown is thrown again: that
// of the lowest rank.
void run_as_processes(int count, const std::function<void(Processes&)>& f);

}  // namespace seqgrad

// Pieces of work that need nothing of each other, dealt to processes by their number.
#pragma once
#include "engine/comm/together.h"

namespace seqgrad {

// Piece i of `count` is computed by process i modulo their number; `take(i, bytes)` gets what `compute(i)` gave in
// every process, for one piece after the other. So what is taken does not depend on how many processes there are. An
// error of `compute` is thrown in all of them, as gather_together does. At any time a process holds as many pieces as
// there are processes.
void deal(Processes& processes, size_t count, const std::function<Bytes(size_t)>& compute,
          const std::function<void(size_t, const Bytes&)>& take);

}  // namespace seqgrad

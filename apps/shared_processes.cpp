// One process tells, whichever of them computed it.
#include "apps/shared_processes.h"

#include "apps/command.h"
#include "engine/comm/launched.h"
#include "engine/run/start_together.h"

namespace seqgrad {

Processes& shared_processes() {
  Processes& processes = launched_processes();
  if (processes.rank() > 0) say_nothing();
  if (const std::string text = agree_on_isa(processes); !text.empty()) note(text);
  return processes;
}

}  // namespace seqgrad

// The registry of built-in tasks.
#include "engine/data/task.h"

#include "engine/core/registry.h"

namespace seqgrad {

static std::map<std::string, Task>& registry() {
  static std::map<std::string, Task> all;
  return all;
}

const std::map<std::string, Task>& tasks() { return registry(); }

bool register_task(const Task& task) { return register_once(registry(), "task", task.name, task); }

}  // namespace seqgrad

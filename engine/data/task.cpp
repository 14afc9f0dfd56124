// The registry of built-in tasks.
#include "engine/data/task.h"

namespace seqgrad {

static std::map<std::string, Task>& registry() {
  static std::map<std::string, Task> all;
  return all;
}

const std::map<std::string, Task>& tasks() { return registry(); }

bool register_task(const Task& task) { return registry().emplace(task.name, task).second; }

}  // namespace seqgrad

// The registry of ops.
#include "engine/core/op_registry.h"

namespace seqgrad {

static std::map<std::string, OpInfo>& registry() {
  static std::map<std::string, OpInfo> all;
  return all;
}

const std::map<std::string, OpInfo>& ops() { return registry(); }

bool register_op(OpInfo info) {
  const std::string name = info.name;
  return registry().emplace(name, std::move(info)).second;
}

}  // namespace seqgrad

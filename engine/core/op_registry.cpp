// The registry of ops.
#include "engine/core/op_registry.h"

#include "engine/core/registry.h"

namespace seqgrad {

static std::map<std::string, OpInfo>& registry() {
  static std::map<std::string, OpInfo> all;
  return all;
}

const std::map<std::string, OpInfo>& ops() { return registry(); }

bool register_op(OpInfo info, const char* file) {
  static std::map<std::string, const char*> files;
  const std::string name = info.name;
  const auto [place, is_new] = files.emplace(name, file);
  if (!is_new) registered_twice("op", name, place->second, file);
  registry().emplace(name, std::move(info));
  return true;
}

}  // namespace seqgrad

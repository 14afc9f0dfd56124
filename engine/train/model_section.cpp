// The registry of kinds of models.
#include "engine/train/model_section.h"

#include <map>

#include "engine/core/error.h"
#include "engine/core/registry.h"

namespace seqgrad {

static std::map<std::string, MakeModelSection>& registry() {
  static std::map<std::string, MakeModelSection> all;
  return all;
}

bool register_model(const char* name, MakeModelSection make) { return register_once(registry(), "model", name, make); }

std::unique_ptr<ModelSection> model_section(Section* parent) {
  if (registry().size() != 1) system_failure("this program has {} kinds of models, not one", registry().size());
  return registry().begin()->second(parent);
}

}  // namespace seqgrad

// One row a model.
#include "apps/bench/reference_model.h"

#include "engine/core/error.h"

namespace seqgrad {

const ReferenceModel& reference_model(const std::string& name) {
  static const ReferenceModel table[] = {
      {"small", 64, 64, 128, 1000, 32, 15, 15},       {"ref8k", 256, 256, 512, 8000, 64, 30, 30},
      {"ref32k", 256, 256, 512, 32000, 64, 30, 30},   {"copy", 64, 64, 128, 54, 64, 16, 16},
      {"dates", 32, 64, 128, 15, 64, 16, 12},         {"gpu_small", 64, 128, 128, 1000, 32, 15, 15},
      {"gpu_ref8k", 256, 512, 512, 8000, 64, 25, 25}, {"gpu_ref32k", 256, 512, 512, 32000, 64, 25, 25}};
  std::string known;
  for (const ReferenceModel& m : table) {
    if (name == m.name) return m;
    known += (known.empty() ? "" : ", ") + std::string(m.name);
  }
  refuse("unknown reference model '{}'; expected one of {}", shown(name), known);
}

}  // namespace seqgrad

// One row a model.
#include "apps/bench/reference_model.h"

#include "engine/core/error.h"

namespace seqgrad {

const ReferenceModel& reference_model(const std::string& name) {
  static const ReferenceModel table[] = {
      {"small", 64, 64, 128, 1000, 32, 15},       {"ref8k", 256, 256, 512, 8000, 64, 30},
      {"ref32k", 256, 256, 512, 32000, 64, 30},   {"gpu_small", 64, 128, 128, 1000, 32, 15},
      {"gpu_ref8k", 256, 512, 512, 8000, 64, 25}, {"gpu_ref32k", 256, 512, 512, 32000, 64, 25}};
  for (const ReferenceModel& m : table)
    if (name == m.name) return m;
  refuse("unknown reference model '{}'; expected small, ref8k or ref32k, or one of them after gpu_", shown(name));
}

}  // namespace seqgrad

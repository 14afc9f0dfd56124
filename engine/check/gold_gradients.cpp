#include "engine/check/gold_gradients.h"

#include <algorithm>

#include "engine/check/compare.h"
#include "engine/check/limits.h"

namespace seqgrad {

std::string gold_gradients_note(const LossCase& c) {
  const auto is_gradient = [](const Values& v) { return v.name.starts_with("d_"); };
  if (std::none_of(c.gold.begin(), c.gold.end(), is_gradient)) return "";
  const std::string not_compared = fmt::format("{}: the gradients of its gold were not compared", shown_path(c.path));
  try {
    const CaseRun run = run_case(c, c.dtype(), Device::cpu);
    const auto compared = [&](const Values& want) {
      return compare(run.of(want.name), want, limits_of(c, run, want), run.dtype, true);
    };
    const Values* value = c.gold_of("value");
    if (!value || !compared(*value).passed()) return not_compared;
    for (const Values& want : c.gold) {
      if (!is_gradient(want)) continue;
      if (const Comparison found = compared(want); !found.passed())
        return fmt::format("{}: gold.value is named, but the gradient differs from that of the case's loss: {}",
                           shown_path(c.path), found.line);
    }
  } catch (const LossError&) {
    return not_compared;
  }
  return "";
}

}  // namespace seqgrad

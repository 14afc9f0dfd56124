#include "engine/loss/entries.h"

#include <algorithm>
#include <limits>

namespace seqgrad {

bool divisor_adds(const LossOptions& options) {
  if (options.over != Over::all && options.then != Then::nothing)  // the fold's: as many as there are entries, or 1
    return options.then == Then::mean && options.over != Over::batch;
  const std::string& name = options.divide.nested() ? options.divide.batch : options.divide.flat;
  return name != "const" && divisor(name).adds;
}

void add_counts(Counts& to, const Counts& more) {
  to.positions += more.positions;
  to.steps = std::max(to.steps, more.steps);
  to.batch += more.batch;
  to.active += more.active;
  to.nonzero += more.nonzero;
  to.active_batch += more.active_batch;
  to.weight += more.weight;
  to.class_weight += more.class_weight;
}

double entry_divisor(const Counts& counts, const LossOptions& options) {
  return options.divide.flat == "const" ? options.divide.k : divisor(options.divide.flat).value(counts);
}

double empty_value(const LossOptions& options) {
  return options.on_zero == OnZero::nan && options.divide_eps == 0 ? std::numeric_limits<double>::quiet_NaN() : 0.0;
}

}  // namespace seqgrad

// The rows that count, one by one: what stands in the others is nobody's.
#include "engine/check/probabilities_note.h"

#include <cmath>

namespace seqgrad {

std::string probabilities_note(const LossOptions& options, const LiveRows& rows, const std::vector<double>& x,
                               bool time_major) {
  if (options.input == Input::probs || rows.rows.empty() || rows.classes < 2) return "";
  const auto v = static_cast<size_t>(rows.classes);
  for (const LiveRow& r : rows.rows) {
    const int64_t b = r.row / rows.steps, t = r.row % rows.steps;
    const double* row = x.data() + static_cast<size_t>(time_major ? t * rows.batch + b : r.row) * v;
    double sum = 0;
    for (size_t j = 0; j < v; ++j) {
      if (!(row[j] >= 0 && row[j] <= 1)) return "";
      sum += row[j];
    }
    if (!(std::abs(sum - 1) <= 1e-2)) return "";
  }
  return "the rows of logits are all in [0,1] and sum to 1: are they probabilities? Then the tensor is probs, with "
         "input: probs";
}

std::string probabilities_note(const LossCase& c, const CaseRun& run) {
  if (run.inputs.hidden) return "";
  return probabilities_note(run.inputs.options, run.rows, arrays_of(c, run.inputs).x, c.layout != Layout::batch);
}

}  // namespace seqgrad

// The loss as a function of a case's numbers. What is not finite lies in padding: it is not moved, and its gradient
// must be 0.
#include "engine/check/gradcheck_case.h"

#include <cmath>

#include "engine/check/run_case.h"

namespace seqgrad {
namespace {

constexpr double longest_step = 2e-5;  // of check_gradients, for numbers up to 1

// A probability that a step could carry over a clip, over 0 or over 1.
bool at_clip(double p, double eps) { return p < eps + longest_step || p > 1 - eps - longest_step; }

}  // namespace

std::vector<TensorReport> check_case_gradients(const LossCase& c, int64_t elements) {
  const CaseRun run = run_case(c, DType::f64, Device::cpu);
  const CaseInputs& in = run.inputs;
  const std::vector<double> upstream = upstream_of(c, in, run.rows);
  CaseArrays arrays = arrays_of(c, in);
  const auto loss = [&] {
    const std::vector<double> values = loss_of(c, arrays, in.loss, run.rows, in.options, in).values;
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i)
      if (std::isfinite(values[i]))
        sum += upstream[i] * values[i];  // an empty group under on_zero: nan has no gradient
    return sum;
  };
  const bool probs = in.options.input == Input::probs;
  const char* first = in.hidden ? "hidden" : in.row_loss ? "row_loss" : probs ? "probs" : "logits";
  std::vector<TensorReport> out;
  for (auto& [name, numbers] : {std::pair{first, &arrays.x}, {"weight", &arrays.weight}, {"bias", &arrays.bias}}) {
    const Values* gradient = run.find(std::string("d_") + name);
    if (!gradient || numbers->empty()) continue;
    TensorReport report{name, {}, static_cast<int64_t>(numbers->size()), 0};
    std::vector<uint8_t> still(numbers->size(), 0);
    for (size_t i = 0; i < numbers->size(); ++i) {
      const double x = (*numbers)[i];
      if (probs && std::isfinite(x) && at_clip(x, in.options.probs_eps)) still[i] = 1, ++report.left_out;
      if (std::isfinite(x)) continue;
      still[i] = 1;
      ++report.gradients.checked;
      if (gradient->numbers[i] == 0) continue;
      ++report.gradients.failed;
      report.gradients.worst = INFINITY;
      report.gradients.where = fmt::format("{}[{}]: {} with a gradient of {}", name, i, x, gradient->numbers[i]);
    }
    const GradientClaim claim{name, numbers->data(), gradient->numbers.data(), report.numbers, still.data(), probs};
    const GradientReport moved = check_gradients(loss, {&claim, 1}, elements);
    report.gradients.checked += moved.checked;
    report.gradients.failed += moved.failed;
    if (moved.worst > report.gradients.worst) {
      report.gradients.worst = moved.worst;
      report.gradients.where = moved.where;
    }
    out.push_back(std::move(report));
  }
  return out;
}

}  // namespace seqgrad

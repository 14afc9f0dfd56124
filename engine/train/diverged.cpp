// Looked at in the order of computation: a loss that is not finite has spoilt gradients, too.
#include "engine/train/diverged.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "engine/core/tape.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/matmul.h"
#include "engine/ops/view.h"

namespace seqgrad {
namespace {

// Of values or gradients: `what` and the parameter's name, or "" when all are finite.
std::string first_bad_parameter(const ParameterStore& store, const Tensor& buffer, const char* what) {
  return dispatch(store.dtype(), [&]<class T>() -> std::string {
    for (const Parameter& p : store.parameters())
      for (const T x : store.to_file<T>(p, buffer))
        if (!std::isfinite(x)) return fmt::format("{}'{}'", what, p.name);
    return "";
  });
}

// The first layer whose output is not finite, in the order of computation; "" when all are.
std::string first_bad_layer(SequenceModel& model, std::span<const Batch> batches, ForwardContext context) {
  const NoGrad no_grad;
  for (const Batch& batch : batches) {
    Tape::current().reset();
    Trace trace;
    context.trace = &trace;
    const Readout r = model.forward(batch, context);
    const Tensor flat = reshape(r.hidden, {batch.batch * batch.target_steps, r.hidden.shape[2]});
    trace.emplace_back("logits", add(matmul(flat, r.weight, false, true), r.bias));
    for (const auto& layer : trace) {
      const Tensor& x = layer.second;
      const bool finite = dispatch(x.dtype, [&]<class T> {
        const auto values = to_host<T>(x);
        return std::all_of(values.begin(), values.end(), [](auto v) { return std::isfinite(v); });
      });
      if (!finite) return fmt::format("output of '{}'", layer.first);
    }
    context.first_row += static_cast<uint32_t>(batch.batch);
  }
  return "";
}

}  // namespace

std::string lines_of(std::span<const Batch> batches) {
  std::vector<int64_t> lines;
  for (const Batch& b : batches) lines.insert(lines.end(), b.lines.begin(), b.lines.end());
  const auto shown_lines = std::min<std::ptrdiff_t>(8, static_cast<std::ptrdiff_t>(lines.size()));
  return fmt::format("training lines {}{}", fmt::join(lines.begin(), lines.begin() + shown_lines, ", "),
                     lines.size() > 8 ? fmt::format(", … ({} in all)", lines.size()) : "");
}

void diverged(SequenceModel& model, std::span<const Batch> batches, ForwardContext context, const std::string& why) {
  const ParameterStore& store = model.store();
  std::string bad = first_bad_parameter(store, store.values(), "");
  if (bad.empty()) bad = first_bad_layer(model, batches, context);
  if (bad.empty()) bad = first_bad_parameter(store, store.grads(), "gradient of ");
  const char* cure = context.step > 1 ? "a lower optim.lr or a clip_norm may help"
                                      : "no update was made yet: weights or divisor of the loss, or the model's first "
                                        "weights, are too large or too small";
  std::string message = fmt::format("step {}: {}; first bad tensor: {}; {} ({})", context.step, why,
                                    bad.empty() ? "none" : bad, lines_of(batches), cure);
  std::vector<int64_t> lines;
  for (const Batch& b : batches) lines.insert(lines.end(), b.lines.begin(), b.lines.end());
  if (lines.size() > 8) message += fmt::format("\nall lines of the step: {}", fmt::join(lines, ", "));
  throw Error(ExitCode::no, message);
}

}  // namespace seqgrad

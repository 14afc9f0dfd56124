// Forward, loss and backward of one step; the only place where the trainer meets the loss layer.
#include "engine/train/step.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/core/phases.h"
#include "engine/core/tape.h"
#include "engine/device/step_graph.h"
#include "engine/io/lines.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/matmul.h"
#include "engine/ops/softmax.h"
#include "engine/ops/view.h"

namespace seqgrad {
namespace {

std::optional<std::vector<double>> read_numbers(const Path& path, int64_t count, const char* key, bool negative) {
  if (path.value.empty()) return std::nullopt;
  std::vector<double> values;
  for (const std::string& line : read_lines(path.value)) {
    double x = 0;
    const auto end = std::from_chars(line.data(), line.data() + line.size(), x);
    if (end.ec != std::errc() || end.ptr != line.data() + line.size() || !std::isfinite(x) || (x < 0 && !negative))
      refuse("{}:{}: error: {}: expected one number{}, got '{}'", shown_path(path.value), values.size() + 1, key,
             negative ? "" : " of at least 0", shown(line));
    values.push_back(x);
  }
  if (static_cast<int64_t>(values.size()) != count)
    refuse("{}: error: {}: {} numbers; the target vocabulary has {} entries", shown_path(path.value), key,
           values.size(), count);
  return values;
}

// What a loss that is not fused is computed from.
Tensor prediction(const Readout& r, const LiveRows& rows, const LossOptions& options) {
  const Tensor flat = matmul(reshape(r.hidden, {rows.batch * rows.steps, r.hidden.shape[2]}), r.weight, false, true);
  const Tensor logits = reshape(add(flat, r.bias), {rows.batch, rows.steps, rows.classes});
  return options.input == Input::probs ? softmax(logits) : logits;
}

LossResult run_loss(const Readout& r, const LossInputs& inputs, const LiveRows& rows, const LossSetup& setup,
                    double divisor) {
  const Phase phase("loss");
  if (setup.fused)
    return linear_sequence_loss(r.hidden, r.weight, r.bias, inputs, rows, setup.options, divisor,
                                ParameterGradients::now);
  return sequence_loss(prediction(r, rows, setup.options), inputs, rows, setup.options, divisor);
}

LaunchedLoss begin_loss(const Readout& r, const LossInputs& inputs, const LiveRows& rows, const LossSetup& setup,
                        double divisor, int32_t* stop) {
  if (setup.fused) return launch_linear_loss(r.hidden, r.weight, r.bias, inputs, rows, setup.options, divisor, stop);
  return launch_sequence_loss(prediction(r, rows, setup.options), inputs, rows, setup.options, divisor, stop);
}

// "'out.bias'", "gradient of 'out.bias'", or "" when all are finite.
std::string first_bad_parameter(const ParameterStore& store) {
  return with_floating(store.dtype(), [&](auto zero) -> std::string {
    using T = decltype(zero);
    for (const auto& [buffer, what] : {std::pair{store.values(), ""}, {store.grads(), "gradient of "}})
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
    std::vector<std::pair<std::string, Tensor>> trace;
    context.trace = &trace;
    const Readout r = model.forward(batch, context);
    const Tensor flat = reshape(r.hidden, {batch.batch * batch.target_steps, r.hidden.shape[2]});
    trace.emplace_back("logits", add(matmul(flat, r.weight, false, true), r.bias));
    for (const auto& layer : trace) {
      const Tensor& x = layer.second;
      const bool finite = with_floating(x.dtype, [&](auto zero) {
        const auto values = to_host<decltype(zero)>(x);
        return std::all_of(values.begin(), values.end(), [](auto v) { return std::isfinite(v); });
      });
      if (!finite) return fmt::format("output of '{}'", layer.first);
    }
    context.first_row += static_cast<uint32_t>(batch.batch);
  }
  return "";
}

std::string lines_of(std::span<const Batch> batches) {
  std::vector<int64_t> lines;
  for (const Batch& b : batches) lines.insert(lines.end(), b.lines.begin(), b.lines.end());
  const auto shown_lines = std::min<std::ptrdiff_t>(8, static_cast<std::ptrdiff_t>(lines.size()));
  return fmt::format("training lines {}{}", fmt::join(lines.begin(), lines.begin() + shown_lines, ", "),
                     lines.size() > 8 ? fmt::format(", … ({} in all)", lines.size()) : "");
}

// What a loss refuses in a step, with the step and its lines. What is not finite is left to diverged().
template <class F>
auto told(uint64_t step, std::span<const Batch> batches, const F& f) {
  try {
    return f();
  } catch (const NonfiniteLoss&) {
    throw;
  } catch (const LossError& e) {
    const std::string message = fmt::format("step {}: {}; {}", step, e.what(), lines_of(batches));
    if (e.loss_code == LossCode::empty) throw Error(ExitCode::no, message);
    throw LossError(e.loss_code, message);
  }
}

// What the micro-batches of a step gave, for what is printed of it.
struct StepLosses {
  std::vector<LossSum> sums;
  std::vector<std::vector<double>> rows;  // for setup.compare

  void add_empty(const LiveRows& live, const LossSetup& setup) {
    sums.push_back(count(live, setup.options));
    rows.emplace_back();
  }
  void add(const LossResult& loss, const LossSetup& setup, StepResult& to) {
    sums.push_back(loss.sum);
    rows.push_back(setup.compare.empty() ? std::vector<double>() : whole_row_losses(loss));
    to.warnings.insert(to.warnings.end(), loss.warnings.begin(), loss.warnings.end());
  }
  void report(const LossSetup& setup, std::span<const LossInputs> inputs, StepResult& to) const {
    to.loss = report_step(sums, setup.options);
    for (const ComparedPreset& p : setup.compare) to.compared.push_back(compared(p, inputs, rows));
  }
};

// The divisor under which a micro-batch's part of a mean of means is differentiated: (D + eps)·parts − eps, so that eps
// is added once.
double micro_divisor(const LiveRows& rows, const LossOptions& options, double parts) {
  const bool plain = options.over == Over::all && !options.divide.nested();
  const double eps = plain ? options.divide_eps : 0;
  return rows.divisor == 0 ? 0 : rows.divisor * parts + eps * (parts - 1);
}

}  // namespace

LossSetup make_loss_setup(const LossConfig& config, int64_t classes) {
  LossSetup s;
  s.options = config.options();
  s.classes = classes;
  s.lengths = config.mask.lengths();
  s.mask = config.mask.file();
  s.token_weight = config.weights.token();
  s.example_weight = config.weights.example();
  s.options.target = Target::ids;  // a preset of dense targets: ids are its one-hot rows, to the bit
  s.fused = config.prediction() == "hidden";
  s.class_weight =
      read_numbers(config.weights.classes.file(), classes, "loss.weights.class.file", s.options.allow_negative_weights);
  s.prior = read_numbers(config.smoothing.prior(), classes, "loss.smoothing.prior", false);
  check_options(s.options, classes);
  s.compare = compared_presets(config.compare(), s.options, s.class_weight.has_value());
  return s;
}

void check_weights(const LossSetup& setup, const Corpus& corpus) {
  const auto check = [&](const char* what, int64_t line, double weight) {
    if (weight < 0)
      refuse("{}, line {}: {} {}; expected at least 0 (loss.weights.allow_negative: true takes it)", corpus.name, line,
             what, weight);
  };
  if (setup.options.allow_negative_weights) return;
  for (int64_t i = 0; i < corpus.size(); ++i) {
    if (setup.example_weight) check("example weight", corpus.lines[i], corpus.example_weight[i]);
    if (!setup.token_weight) continue;
    for (const double weight : corpus.token_weight[i]) check("token weight", corpus.lines[i], weight);
  }
}

LossInputs loss_inputs(const Batch& batch, const LossSetup& setup) {
  LossInputs in;
  in.batch = batch.batch;
  in.steps = batch.target_steps;
  in.classes = setup.classes;
  in.targets.assign(batch.target_out.begin(), batch.target_out.end());
  if (setup.lengths) in.lengths.emplace(batch.target_lengths.begin(), batch.target_lengths.end());
  if (setup.mask) in.mask = batch.mask;
  if (setup.token_weight) in.token_weight = batch.token_weight;
  if (setup.example_weight) in.example_weight = batch.example_weight;
  in.class_weight = setup.class_weight;
  in.prior = setup.prior;
  return in;
}

void diverged(SequenceModel& model, std::span<const Batch> batches, ForwardContext context, const std::string& why) {
  std::string bad = first_bad_parameter(model.store());
  if (bad.empty()) bad = first_bad_layer(model, batches, context);
  std::string message = fmt::format("step {}: {}; first bad tensor: {}; {} (a lower optim.lr or a clip_norm may help)",
                                    context.step, why, bad.empty() ? "none" : bad, lines_of(batches));
  std::vector<int64_t> lines;
  for (const Batch& b : batches) lines.insert(lines.end(), b.lines.begin(), b.lines.end());
  if (lines.size() > 8) message += fmt::format("\nall lines of the step: {}", fmt::join(lines, ", "));
  throw Error(ExitCode::no, message);
}

static StepPlan planned(const LossSetup& setup, std::span<const Batch> batches, uint64_t step) {
  StepPlan plan;
  StepResult& result = plan.result;
  LossSum counted;  // divisors only, merged as the sums will be
  for (const Batch& batch : batches) {
    plan.inputs.push_back(loss_inputs(batch, setup));
    plan.rows.push_back(build_live_rows(plan.inputs.back(), setup.options));
    const LiveRows& rows = plan.rows.back();
    counted += count(rows, setup.options);
    result.warnings.insert(result.warnings.end(), rows.warnings.begin(), rows.warnings.end());
    result.target_tokens += batch.target_tokens();
    result.positions += batch.batch * batch.target_steps;
  }
  const bool micro = setup.options.scope == Scope::micro;
  if (!micro) share_counts(plan.rows, setup.options);
  const auto parts = static_cast<double>(batches.size());
  for (const LiveRows& rows : plan.rows)
    plan.divisors.push_back(micro ? micro_divisor(rows, setup.options, parts) : counted.divisor);
  const bool nothing = std::all_of(plan.rows.begin(), plan.rows.end(), [](const auto& r) { return r.rows.empty(); });
  if (counted.divisor == 0 || nothing) {
    if (setup.options.on_zero == OnZero::error)
      throw Error(ExitCode::no, fmt::format("step {}: no active target in this batch ({} examples)", step,
                                            batches.empty() ? 0 : batches[0].batch));
    result.skipped = true;
    result.warnings.push_back({"empty", fmt::format("step {} had no active target: no update was made", step)});
  }
  return plan;
}

StepPlan plan_step(const LossSetup& setup, std::span<const Batch> batches, uint64_t step) {
  return told(step, batches, [&] { return planned(setup, batches, step); });
}

// Differentiates one micro-batch after the other.
static void run_micro_batches(SequenceModel& model, const LossSetup& setup, const StepPlan& plan,
                              std::span<const Batch> batches, ForwardContext context, StepLosses& losses,
                              StepResult& result) {
  Tape& tape = Tape::current();
  for (size_t i = 0; i < batches.size(); ++i) {
    if (plan.rows[i].rows.empty()) {
      losses.add_empty(plan.rows[i], setup);
    } else {
      tape.reset();
      const Readout readout = model.forward(batches[i], context);
      const LossResult loss = run_loss(readout, plan.inputs[i], plan.rows[i], setup, plan.divisors[i]);
      tape.backward(loss.value);
      losses.add(loss, setup, result);
    }
    context.first_row += static_cast<uint32_t>(batches[i].batch);
  }
}

StepResult accumulate_gradients(SequenceModel& model, const LossSetup& setup, std::span<const Batch> batches,
                                ForwardContext context) {
  const StepPlan plan = plan_step(setup, batches, context.step);
  StepResult result = plan.result;
  if (result.skipped) return result;
  model.store().zero_grad();
  try {
    StepLosses losses;
    told(context.step, batches, [&] { run_micro_batches(model, setup, plan, batches, context, losses, result); });
    losses.report(setup, plan.inputs, result);
  } catch (const NonfiniteLoss& e) {
    diverged(model, batches, context, fmt::format("the loss is not finite: {}", e.what()));
  }
  return result;
}

void begin_gradients(SequenceModel& model, const LossSetup& setup, const StepPlan& plan, std::span<const Batch> batches,
                     ForwardContext context, int32_t* stop, const std::function<void()>& end, const TakeResults& take) {
  ParameterStore& store = model.store();
  const auto empty = [](const LiveRows& r) { return r.rows.empty(); };
  const auto first =
                 static_cast<size_t>(std::find_if_not(plan.rows.begin(), plan.rows.end(), empty) - plan.rows.begin()),
             after_last =
                 static_cast<size_t>(plan.rows.rend() - std::find_if_not(plan.rows.rbegin(), plan.rows.rend(), empty));
  for (size_t i = 0; i < after_last; ++i) {
    const Batch& batch = batches[i];
    if (const LiveRows& rows = plan.rows[i]; !empty(rows)) {
      LaunchedLoss loss;
      Tape::current().reset();
      kernels::repeated_step(
          store.device(),
          {{reinterpret_cast<intptr_t>(store.values().data), batch.batch, batch.source_steps, batch.target_steps,
            setup.fused ? computed_rows(rows, Device::cuda) : 0, i == first, i + 1 == after_last},
           [&] {
             if (i == first) store.zero_grad();
             const Readout readout = model.forward(batch, context);
             loss = begin_loss(readout, plan.inputs[i], rows, setup, plan.divisors[i], stop);
             Tape::current().backward(loss.value);
             if (i + 1 == after_last) end();
           }});
      take(loss.results, static_cast<int64_t>(rows.rows.size()));
    }
    context.first_row += static_cast<uint32_t>(batch.batch);
  }
}

StepResult finish_gradients(const LossSetup& setup, StepPlan plan, std::span<const RowResult> results) {
  StepLosses losses;
  for (size_t i = 0; i < plan.rows.size(); ++i) {
    const LiveRows& rows = plan.rows[i];
    if (rows.rows.empty()) {
      losses.add_empty(rows, setup);
      continue;
    }
    losses.add(collect_loss(plan.inputs[i], rows, setup.options, plan.divisors[i], results.first(rows.rows.size())),
               setup, plan.result);
    results = results.subspan(rows.rows.size());
  }
  losses.report(setup, plan.inputs, plan.result);
  return std::move(plan.result);
}

LossResult loss_without_gradients(SequenceModel& model, const LossSetup& setup, const LossInputs& inputs,
                                  const LiveRows& rows, const Batch& batch, const ForwardContext& context) {
  Tape::current().reset();
  const NoGrad no_grad;
  return run_loss(model.forward(batch, context), inputs, rows, setup, rows.divisor);
}

}  // namespace seqgrad

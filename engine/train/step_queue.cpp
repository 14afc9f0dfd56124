// A log on the device grows by one norm and the results of the rows a step, block by block: making room never waits for
// the device.
#include "engine/train/step_queue.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/train/diverged.h"

namespace seqgrad {
namespace {

constexpr size_t most_log_bytes = size_t{64} << 20;
constexpr size_t most_steps = 1024;  // whose batches are kept

size_t live_rows(const StepPlan& plan) {
  size_t count = 0;
  for (const LiveRows& r : plan.rows) count += r.rows.size();
  return count;
}

}  // namespace

StepQueue::StepQueue(SequenceModel& model, const LossSetup& loss, const OptimConfig& optim, const Sharing& sharing,
                     const GraphOptions& graphs, size_t log_bytes)
    : model_(model),
      loss_(loss),
      optim_(optim),
      sharing_(sharing),
      runs_ahead_(model.store().device() == Device::cuda && !sharing.processes),
      log_bytes_(log_bytes),
      graphs_(model.store().device(), graphs) {
  if (runs_ahead_) state_ = static_cast<GradientState*>(backend(Device::cuda).allocate(sizeof(GradientState)));
}

StepQueue::~StepQueue() {
  if (state_) backend(Device::cuda).release(state_, sizeof(GradientState));
  for (const Block& b : log_) backend(Device::cuda).release(b.memory, b.size);
}

bool StepQueue::run(std::vector<Batch> batches, const ForwardContext& context, double lr, int64_t number) {
  if (!runs_ahead_) return run_now(batches, context, lr, number);
  bool is_queued = false;
  try {
    StepPlan plan = plan_step(loss_, batches, sharing_.shards, context.step);
    const size_t bytes = sizeof(double) + live_rows(plan) * sizeof(RowResult);
    make_room(bytes);
    steps_.push_back({std::move(batches), context, std::move(plan), log_.size() - 1, log_.back().used});
    const Step& step = steps_.back();
    if (step.plan.result.skipped) return false;
    log_.back().used += bytes;
    is_queued = true;
    launch(step, lr, number);
    return true;
  } catch (const SystemError&) {
    throw;
  } catch (const Error&) {
    if (is_queued) steps_.pop_back();
    collect_all();  // an earlier step may be what was wrong
    throw;
  }
}

bool StepQueue::run_now(std::span<const Batch> batches, const ForwardContext& context, double lr, int64_t number) {
  StepResult result = accumulate_gradients(model_, loss_, batches, context, sharing_);
  const bool updated = !result.skipped;
  if (updated) {
    const ParameterStore& store = model_.store();
    result.grad_norm = grad_norm(store);
    if (!std::isfinite(result.grad_norm))
      diverged(model_, shards_of(batches, sharing_.shards), context, "the gradient is not finite");
    if (optim_.clip_norm() && result.grad_norm > *optim_.clip_norm())
      scale_grads(store, *optim_.clip_norm() / result.grad_norm);
    OptimOptions options = optim_.options();
    options.lr = lr;
    optimizers().at(optim_.name())(model_.store(), options, number);
  }
  done_.push_back(std::move(result));
  return updated;
}

void StepQueue::launch(const Step& step, double lr, int64_t number) {
  const Backend& device = backend(Device::cuda);
  ParameterStore& store = model_.store();
  const Optimizer& optimizer = optimizers().at(optim_.name());
  OptimOptions options = optim_.options();
  options.lr = lr;
  options.state = state_;
  const double* step_numbers = nullptr;
  const StepEnd end{[&](StepInputs& in) { step_numbers = in.add<double>(optimizer.step_numbers(options, number)); },
                    [&] {
                      measure_gradient(store, optim_.clip_norm().value_or(HUGE_VAL), state_);
                      optimizer.update(store, options, step_numbers);
                    }};
  char* const log = log_[step.block].memory + step.at;
  char* to = log + sizeof(double);
  launch_gradients(model_, loss_, step.plan, step.batches, step.context, &state_->stopped, graphs_, end,
                   [&](const RowResult* results, int64_t count) {
                     const size_t bytes = static_cast<size_t>(count) * sizeof(RowResult);
                     device.copy(to, results, bytes);
                     to += bytes;
                   });
  device.copy(log, &state_->norm, sizeof(double));
}

// In the last block of the log.
void StepQueue::make_room(size_t bytes) {
  size_t size = 0;
  for (const Block& b : log_) size += b.size;
  const bool fits = !log_.empty() && log_.back().size - log_.back().used >= bytes;
  if (steps_.size() >= most_steps || (!fits && size >= most_log_bytes)) collect_all();
  if (!log_.empty() && log_.back().size - log_.back().used >= bytes) return;
  const size_t more = std::max(log_bytes_, bytes);
  log_.push_back({static_cast<char*>(backend(Device::cuda).allocate(more)), more, 0});
}

void StepQueue::collect_all() {
  std::vector<std::vector<char>> log;
  for (const Block& b : log_) log.push_back(to_host(b.memory, static_cast<int64_t>(b.used), Device::cuda));
  std::vector<Step> steps = std::move(steps_);
  steps_.clear();
  while (log_.size() > 1) {
    backend(Device::cuda).release(log_.back().memory, log_.back().size);
    log_.pop_back();
  }
  if (!log_.empty()) log_[0].used = 0;
  for (Step& step : steps) done_.push_back(collect_one(step, log[step.block].data() + step.at));
}

StepResult StepQueue::collect_one(Step& step, const char* log) {
  if (step.plan.result.skipped) return std::move(step.plan.result);
  double norm;
  std::memcpy(&norm, log, sizeof(norm));
  std::vector<RowResult> rows(live_rows(step.plan));
  if (!rows.empty()) std::memcpy(rows.data(), log + sizeof(norm), rows.size() * sizeof(RowResult));
  try {
    StepResult result = collect_gradients(loss_, step.plan, rows);
    result.grad_norm = norm;
    if (std::isfinite(norm)) return result;
  } catch (const NonfiniteLoss&) {
    accumulate_gradients(model_, loss_, step.batches, step.context, sharing_);  // throws with the words for it
    throw;
  }
  // The gradients of that step again, to be looked at.
  accumulate_gradients(model_, loss_, step.batches, step.context, sharing_);
  diverged(model_, shards_of(step.batches, sharing_.shards), step.context, "the gradient is not finite");
}

std::vector<StepResult> StepQueue::collect() {
  if (!steps_.empty()) collect_all();
  return std::exchange(done_, {});
}

}  // namespace seqgrad

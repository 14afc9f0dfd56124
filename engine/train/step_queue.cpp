// A log on the device grows by one norm and the results of the rows a step; it is fetched as a whole.
#include "engine/train/step_queue.h"

#include <cmath>
#include <cstring>

namespace seqgrad {
namespace {

constexpr size_t log_bytes = size_t{4} << 20;  // more when one step has more
constexpr size_t most_steps = 1024;            // whose batches are kept

size_t live_rows(const StepPlan& plan) {
  size_t count = 0;
  for (const LiveRows& r : plan.rows) count += r.rows.size();
  return count;
}

}  // namespace

StepQueue::StepQueue(SequenceModel& model, const LossSetup& loss, const OptimConfig& optim)
    : model_(model), loss_(loss), optim_(optim), runs_ahead_(model.store().device() == Device::cuda) {
  if (runs_ahead_) state_ = static_cast<GradientState*>(backend(Device::cuda).allocate(sizeof(GradientState)));
}

StepQueue::~StepQueue() {
  if (state_) backend(Device::cuda).release(state_, sizeof(GradientState));
  if (log_) backend(Device::cuda).release(log_, capacity_);
}

void StepQueue::update(double lr, int64_t number, const GradientState* state) {
  OptimOptions options = optim_.options();
  options.lr = lr;
  options.state = state;
  optimizers().at(optim_.name()).update(model_.store(), options, number);
}

bool StepQueue::run(std::vector<Batch> batches, const ForwardContext& context, double lr, int64_t number) {
  if (!runs_ahead_) return run_now(batches, context, lr, number);
  bool begun = false;
  try {
    StepPlan plan = plan_step(loss_, batches, context.step);
    const size_t bytes = sizeof(double) + live_rows(plan) * sizeof(RowResult);
    make_room(bytes);
    steps_.push_back({std::move(batches), context, std::move(plan), used_});
    const Step& step = steps_.back();
    if (step.plan.result.skipped) return false;
    used_ += bytes;
    begun = true;
    begin(step, lr, number);
    return true;
  } catch (const SystemError&) {
    throw;
  } catch (const Error&) {
    if (begun) steps_.pop_back();
    finish_all();  // an earlier step may be what was wrong
    throw;
  }
}

bool StepQueue::run_now(std::span<const Batch> batches, const ForwardContext& context, double lr, int64_t number) {
  StepResult result = accumulate_gradients(model_, loss_, batches, context);
  const bool updated = !result.skipped;
  if (updated) {
    const ParameterStore& store = model_.store();
    result.grad_norm = grad_norm(store);
    if (!std::isfinite(result.grad_norm)) diverged(model_, batches, context, "the gradient is not finite");
    if (optim_.clip_norm() && result.grad_norm > *optim_.clip_norm())
      scale_grads(store, *optim_.clip_norm() / result.grad_norm);
    update(lr, number, nullptr);
  }
  done_.push_back(std::move(result));
  return updated;
}

void StepQueue::begin(const Step& step, double lr, int64_t number) {
  Backend& device = backend(Device::cuda);
  const auto end = [&] {
    measure_gradient(model_.store(), optim_.clip_norm().value_or(HUGE_VAL), state_);
    update(lr, number, state_);
  };
  char* to = log_ + step.at + sizeof(double);
  begin_gradients(model_, loss_, step.plan, step.batches, step.context, &state_->stopped, end,
                  [&](const RowResult* results, int64_t count) {
                    const size_t bytes = static_cast<size_t>(count) * sizeof(RowResult);
                    device.copy(to, results, bytes);
                    to += bytes;
                  });
  device.copy(log_ + step.at, &state_->norm, sizeof(double));
}

void StepQueue::make_room(size_t bytes) {
  if (used_ + bytes > capacity_ || steps_.size() >= most_steps) finish_all();
  if (bytes <= capacity_) return;
  if (log_) backend(Device::cuda).release(log_, capacity_);
  log_ = nullptr;
  capacity_ = std::max(log_bytes, bytes);
  log_ = static_cast<char*>(backend(Device::cuda).allocate(capacity_));
}

void StepQueue::finish_all() {
  const std::vector<char> log = to_host(log_, static_cast<int64_t>(used_), Device::cuda);
  std::vector<Step> steps = std::move(steps_);
  steps_.clear();
  used_ = 0;
  for (Step& step : steps) done_.push_back(finish(step, log.data()));
}

StepResult StepQueue::finish(Step& step, const char* log) {
  if (step.plan.result.skipped) return std::move(step.plan.result);
  double norm;
  std::memcpy(&norm, log + step.at, sizeof(norm));
  std::vector<RowResult> rows(live_rows(step.plan));
  std::memcpy(rows.data(), log + step.at + sizeof(norm), rows.size() * sizeof(RowResult));
  try {
    StepResult result = finish_gradients(loss_, step.plan, rows);
    result.grad_norm = norm;
    if (std::isfinite(norm)) return result;
  } catch (const InputError&) {
    accumulate_gradients(model_, loss_, step.batches, step.context);  // throws with the words for it
    throw;
  }
  accumulate_gradients(model_, loss_, step.batches, step.context);  // the gradients of that step again, to be looked at
  diverged(model_, step.batches, step.context, "the gradient is not finite");
}

std::vector<StepResult> StepQueue::collect() {
  if (!steps_.empty()) finish_all();
  return std::exchange(done_, {});
}

}  // namespace seqgrad

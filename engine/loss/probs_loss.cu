// The row kernel for probabilities, in float64 (probs_formulas.h): a block a row.
#include "engine/loss/probs_formulas.h"
#include "engine/loss/row_device.cuh"

namespace seqgrad {
namespace {

struct FirstMaximum {
  double value = -INFINITY;
  int64_t index = INT64_MAX;

  __device__ FirstMaximum operator+(const FirstMaximum& o) const {
    return o.value > value || (o.value == value && o.index < index) ? o : *this;
  }
};

template <class T>
__global__ void __launch_bounds__(row_threads_most<double>, 1) probs_loss_kernel(kernels::RowLoss<T> k) {
  const RowRule& rule = k.rule;
  const RowTask task = k.tasks[blockIdx.x];
  T* g = k.g ? k.g + task.offset : nullptr;
  const auto for_each_class = [&](const auto& f) {
    for (int64_t v = threadIdx.x; v < rule.classes; v += blockDim.x) f(v);
  };
  if (task.target < 0) {
    if (threadIdx.x == 0) k.results[blockIdx.x] = {};
    if (g) for_each_class([&](int64_t v) { g[v] = 0; });
    return;
  }
  const auto p = [x = k.x + task.offset](int64_t v) { return static_cast<double>(x[v]); };
  RowResult result;
  double sum = 0;
  int64_t nan = 0, outside = 0;
  FirstMaximum first;
  for_each_class([&](int64_t v) {
    nan += p(v) != p(v);
    outside += p(v) < 0 || p(v) > 1;
    sum += p(v);
    if (p(v) > first.value) first = {p(v), v};
  });
  ProbsFormulas f(rule, block_total(sum));
  result.nonfinite = block_total(nan) > 0;
  result.invalid = block_total(outside) > 0 || f.invalid_sum();
  result.correct = block_total(first).index == task.target;
  if (result.nonfinite || result.invalid) {
    result.correct = false;
    result.loss = result.nll = NAN;
    if (threadIdx.x == 0) store_result(k, blockIdx.x, result);
    if (g) for_each_class([&](int64_t v) { g[v] = static_cast<T>(NAN); });
    return;
  }

  double clipped_sum = 0;
  for_each_class([&](int64_t v) { clipped_sum += f.clip(f.share(p(v))); });
  f.set_clipped_sum(block_total(clipped_sum));
  ProbsSums sums;
  for_each_class([&](int64_t v) { f.accumulate(sums, p(v), rule.r(task, v), rule.q(task, v)); });
  sums = block_total(sums);
  result.loss = sums.loss;
  result.nll = sums.nll;
  result.clipped = sums.clipped > 0;
  result.nonfinite = !(std::abs(result.loss) < INFINITY);
  if (threadIdx.x == 0) store_result(k, blockIdx.x, result);
  if (g)
    for_each_class(
        [&](int64_t v) { g[v] = static_cast<T>(task.coefficient * f.gradient(sums, p(v), rule.r(task, v))); });
}

template <class T>
void probs_loss_cuda(const kernels::RowLoss<T>& k) {
  gpu::launch(probs_loss_kernel<T>, k.rows, row_threads<double>(k.rule.classes), row_shared, gpu::stream(), k);
}

const bool installed = install<Device::cuda>(kernels::probs_loss<float>, probs_loss_cuda<float>) &&
                       install<Device::cuda>(kernels::probs_loss<double>, probs_loss_cuda<double>);

}  // namespace
}  // namespace seqgrad

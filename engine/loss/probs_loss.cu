// The row kernel for probabilities; its three modes and their gradients are those of probs_loss.cpp.
#include "engine/loss/row_math.cuh"

namespace seqgrad {
namespace {

constexpr double sum_tolerance = 1e-4;  // of `strict`

template <class T>
__global__ void __launch_bounds__(row_threads_most<double>, 1) probs_loss_kernel(kernels::RowLoss<T> k) {
  const RowRule& rule = k.rule;
  const RowTask task = k.tasks[blockIdx.x];
  const int64_t n = rule.classes;
  if (task.target < 0) {
    if (threadIdx.x == 0) k.results[blockIdx.x] = {};
    for (int64_t v = threadIdx.x; k.g && v < n; v += blockDim.x) k.g[task.at + v] = 0;
    return;
  }
  const T* p = k.x + task.at;
  const bool strict = rule.probs_mode == ProbsMode::strict, renormalised = rule.probs_mode == ProbsMode::renorm_clip,
             clip_first = rule.probs_mode == ProbsMode::clip_then_softmax;
  RowResult result;

  double sum = 0;
  int64_t nan = 0, outside = 0, first = INT64_MAX;
  T top = -static_cast<T>(INFINITY);
  for (int64_t v = threadIdx.x; v < n; v += blockDim.x) {
    nan += p[v] != p[v];
    outside += p[v] < 0 || p[v] > 1;
    sum += static_cast<double>(p[v]);
    if (p[v] > top) {
      top = p[v];
      first = v;
    }
  }
  result.nonfinite = block_count(nan) > 0;
  result.invalid = block_count(outside) > 0;
  sum = block_sum(sum);
  const T best = gpu::block_reduce(top, gpu::shared_memory<T>(), gpu::Larger{});
  result.correct = block_least(top == best ? first : INT64_MAX) == task.target;
  result.invalid |= sum == 0 || (strict && std::abs(sum - 1) > sum_tolerance);
  if (result.nonfinite || result.invalid) {
    result.correct = false;
    result.loss = result.nll = NAN;
    if (threadIdx.x == 0) give(k, blockIdx.x, result);
    for (int64_t v = threadIdx.x; k.g && v < n; v += blockDim.x) k.g[task.at + v] = static_cast<T>(NAN);
    return;
  }

  const double low = strict ? 0 : rule.probs_eps, high = strict ? static_cast<double>(INFINITY) : 1 - rule.probs_eps;
  const auto share = [&](int64_t v) { return static_cast<double>(p[v]) / (renormalised ? sum : 1); };
  const auto clip = [&](double x) { return x < low ? low : x > high ? high : x; };
  double clipped_sum = 0;
  for (int64_t v = threadIdx.x; v < n; v += blockDim.x) clipped_sum += clip(share(v));
  clipped_sum = block_sum(clipped_sum);
  const double log_sum = clip_first ? std::log(clipped_sum) : 0;

  double r_sum = 0, pull = 0, loss = 0, nll = 0;  // Σ r, and Σ γ p̃
  int64_t clipped = 0;
  for (int64_t v = threadIdx.x; v < n; v += blockDim.x) {
    const double r = rule.r(task, v), q = rule.q(task, v);
    if (r == 0 && q == 0) continue;
    const double x = share(v), c = clip(x);
    r_sum += r;
    if (r != 0) loss += r * (log_sum - std::log(c));
    if (q != 0) nll += q * (log_sum - std::log(c));
    clipped += c != x;
    if (c == x) pull -= r / c * x;
  }
  r_sum = block_sum(r_sum);
  pull = block_sum(pull);
  result.loss = block_sum(loss);
  result.nll = block_sum(nll);
  result.clipped = block_count(clipped) > 0;
  result.nonfinite = !(std::abs(result.loss) < INFINITY);
  if (threadIdx.x == 0) give(k, blockIdx.x, result);
  for (int64_t v = threadIdx.x; k.g && v < n; v += blockDim.x) {
    const double x = share(v), r = rule.r(task, v);
    const bool kept = x >= low && x <= high;
    const double own = r == 0 || !kept ? 0 : -r / x;
    const double d = renormalised ? (own - pull) / sum : clip_first && kept ? r_sum / clipped_sum + own : own;
    k.g[task.at + v] = static_cast<T>(task.coefficient * d);
  }
}

template <class T>
void probs_loss_cuda(const kernels::RowLoss<T>& k) {
  run_on_device(k, [](const kernels::RowLoss<T>& d) {
    gpu::launch(probs_loss_kernel<T>, d.rows, row_threads<double>(d.rule.classes), row_shared, gpu::stream(), d);
  });
}

const bool installed = install<Device::cuda>(kernels::probs_loss<float>, probs_loss_cuda<float>) &&
                       install<Device::cuda>(kernels::probs_loss<double>, probs_loss_cuda<double>);

}  // namespace
}  // namespace seqgrad

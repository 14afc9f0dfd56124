// A block reads a row once, 16 bytes at a time: an online pass for maximum and sums, then the gradient where the logits
// were, which finds the row in cache. A row of many classes is read by several blocks, whose sums a second kernel puts
// together; one that is not in memory as a whole is read chunk by chunk, twice.
#include "engine/loss/row_parts.cuh"

namespace seqgrad {
namespace {

constexpr int64_t of_one_block = 32768;  // classes

template <class T>
__device__ void give(const kernels::RowLoss<T>& k, int64_t i, const RowResult& result) {
  k.results[i] = result;
  if (result.nonfinite && !k.rule.propagate && k.stop) *k.stop = 1;
}

// Loss of row i, if this block is the one to tell it, and the gradient of its classes [begin,end).
template <class T>
__device__ void finish(const kernels::RowLoss<T>& k, int64_t i, const RowTask& task, const Row<T>& row,
                       const Part<T>& all, int64_t begin, int64_t end) {
  const RowRule& rule = k.rule;
  const int64_t n = rule.classes;
  const bool tells = begin == 0 && threadIdx.x == 0;
  RowResult result;
  if (all.bad || !all.any_finite) {
    result.nonfinite = true;
    result.loss = result.nll = result.lambda = NAN;
    if (tells) give(k, i, result);
    for (int64_t v = begin + threadIdx.x; v < end; v += blockDim.x) {
      if (k.bias) row.z[v] = row.logit(v);  // as a report will name it
      if (row.g && rule.propagate) row.g[v] = static_cast<T>(NAN);
    }
    return;
  }
  result.correct = all.first == task.target;

  const double top = static_cast<double>(all.top), gap = top - static_cast<double>(all.at_target);
  const bool walked = is_walked(rule, task);
  const double maxima = static_cast<double>(all.maxima), total = maxima + all.tail;
  const double log_sum = std::log(maxima) + std::log1p(all.tail / maxima);
  const bool flat = !walked && rule.off != 0;
  result.nll = task.q ? all.walk.q_sum * log_sum + all.walk.q_distance : log_sum + gap;
  result.lambda = top + log_sum;
  double r_sum = rule.on;
  if (walked) {
    r_sum = all.walk.r_sum;
    result.loss = r_sum * log_sum + all.walk.r_distance;
  } else if (flat) {
    r_sum += rule.off * static_cast<double>(n);
    result.loss = rule.off * (static_cast<double>(n) * log_sum + all.distance) + rule.on * result.nll;
  } else {
    result.loss = rule.on * result.nll;
  }
  if (!(std::abs(result.loss) < INFINITY)) result.nonfinite = true;
  if (tells) give(k, i, result);
  if (!row.g) return;

  const double c = task.coefficient, pull = 2 * rule.z_loss * result.lambda;
  const T factor = static_cast<T>(c * (r_sum + pull) / total), off = static_cast<T>(c * rule.off),
          on = static_cast<T>(c * rule.on);
  const bool single = walked ? all.walk.count == 1 : rule.off == 0;  // all mass on one class
  const int64_t only = walked ? all.walk.only : task.target;
  const double single_log = single ? log_sum + static_cast<double>(all.top - all.at_only) : 0;
  __syncthreads();  // all have read the logits of the target and of the only class
  row.each_gradient(begin, end, [&](int64_t v, T x) {
    const T a = row.capped(x);
    const T e = std::exp(a - all.top);
    T d;
    if (single && v == only)  // p − 1 would cancel as p nears 1
      d = static_cast<T>(c * (rule.r(task, only) * std::expm1(-single_log) + pull * static_cast<double>(e) / total));
    else if (walked)
      d = e * factor - static_cast<T>(c * rule.r(task, v));
    else
      d = e * factor - off - (v == task.target ? on : T{0});
    if (row.kappa > 0) {
      const T th = a / row.kappa;
      d *= 1 - th * th;
    }
    return d;
  });
}

// A row of no loss, which only rounds their number up.
template <class T>
__device__ void clear(const kernels::RowLoss<T>& k, int64_t i, int64_t at, int64_t begin, int64_t end) {
  if (begin == 0 && threadIdx.x == 0) k.results[i] = {};
  for (int64_t v = begin + threadIdx.x; k.g && v < end; v += blockDim.x) k.g[at + v] = 0;
}

template <class T>
__global__ void __launch_bounds__(row_threads_most) row_loss_kernel(kernels::RowLoss<T> k) {
  const RowTask task = k.tasks[blockIdx.x];
  const int64_t n = k.rule.classes;
  if (task.target < 0) return clear(k, blockIdx.x, task.at, 0, n);
  const Row<T> row(k, task.at);
  finish(k, blockIdx.x, task, row, scan(k.rule, task, row, 0, n), 0, n);
}

unsigned parts_in(int64_t classes) { return static_cast<unsigned>((classes + of_a_part - 1) / of_a_part); }

// The classes [begin,end) of all rows, which are in memory: as they lie in rows of V, or alone and dense.
struct Slice {
  int64_t begin, end;
  bool dense;
  unsigned parts;  // in it

  __device__ int64_t row() const { return blockIdx.x / parts; }
  __device__ int64_t first() const { return begin + blockIdx.x % parts * of_a_part; }
  __device__ int64_t last() const { return first() + of_a_part < end ? first() + of_a_part : end; }
  __device__ int64_t at(const RowTask& task) const { return dense ? row() * (end - begin) - begin : task.at; }
};

template <class T>
__global__ void __launch_bounds__(row_threads_most)
    scan_kernel(kernels::RowLoss<T> k, Slice slice, unsigned count, Part<T>* parts) {
  const RowTask task = k.tasks[slice.row()];
  if (task.target < 0) return;
  const Part<T> part = scan(k.rule, task, Row<T>(k, slice.at(task)), slice.first(), slice.last());
  if (threadIdx.x == 0) parts[slice.row() * count + slice.first() / of_a_part] = part;
}
template <class T>
__global__ void __launch_bounds__(row_threads_most)
    finish_kernel(kernels::RowLoss<T> k, Slice slice, unsigned count, const Part<T>* parts) {
  const int64_t i = slice.row(), at = slice.at(k.tasks[i]);
  const RowTask task = k.tasks[i];
  if (task.target < 0) return clear(k, i, at, slice.first(), slice.last());
  finish(k, i, task, Row<T>(k, at), combined(parts + i * count, k.rule.classes, task), slice.first(), slice.last());
}

template <class T>
void row_loss_cuda(const kernels::RowLoss<T>& k) {
  run_on_device(k, [](const kernels::RowLoss<T>& d) {
    const int64_t n = d.rule.classes;
    const int threads = row_threads(n);
    if (n <= of_one_block) return gpu::launch(row_loss_kernel<T>, d.rows, threads, row_shared, gpu::stream(), d);
    const unsigned count = parts_in(n);
    const Slice all{0, n, false, count};
    auto* parts = Tape::current().scratch<Part<T>>(d.rows * count, Device::cuda);
    gpu::launch(scan_kernel<T>, d.rows * count, threads, row_shared, gpu::stream(), d, all, count, parts);
    gpu::launch(finish_kernel<T>, d.rows * count, threads, row_shared, gpu::stream(), d, all, count, parts);
  });
}

// The second pass begins with the chunk that the first has left in memory.
template <class T>
void row_chunks_cuda(const kernels::RowChunks<T>& k) {
  run_on_device(k.rows, [&](kernels::RowLoss<T> d) {
    const int64_t n = d.rule.classes, last = (n - 1) / k.width * k.width;
    const unsigned count = parts_in(n);
    auto* parts = Tape::current().scratch<Part<T>>(d.rows * count, Device::cuda);
    const auto run = [&](auto kernel, int64_t begin) {
      const int64_t end = std::min(n, begin + k.width);
      const Slice slice{begin, end, true, parts_in(end - begin)};
      gpu::launch(kernel, d.rows * slice.parts, row_threads(n), row_shared, gpu::stream(), d, slice, count, parts);
      return end;
    };
    for (int64_t begin = 0; begin < n; begin += k.width) {
      d.x = k.logits(begin, std::min(n, begin + k.width));
      run(scan_kernel<T>, begin);
    }
    if (!k.gradient) return void(run(finish_kernel<T>, 0));  // which tells the losses, and reads no logits
    for (int64_t begin = last; begin >= 0; begin -= k.width) {
      if (begin != last) d.x = k.logits(begin, begin + k.width);
      d.g = d.x;
      k.gradient(begin, run(finish_kernel<T>, begin), d.x);
    }
  });
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::row_loss<T>, row_loss_cuda<T>) &&
         install<Device::cuda>(kernels::row_chunks<T>, row_chunks_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad

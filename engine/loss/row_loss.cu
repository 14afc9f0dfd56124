// A block reads a row once, 16 bytes at a time, into shared memory; maximum, sums and gradient are made from there. A
// row of many classes is read by several blocks, whose sums a second kernel puts together; it follows while the logits
// are still in the cache of the GPU. A row that is not in memory as a whole is read chunk by chunk, twice.
#include "engine/loss/row_parts.cuh"

namespace seqgrad {
namespace {

constexpr int64_t of_one_block = 32768;  // classes
constexpr int of_a_part_threads = 256;
template <class T>
[[maybe_unused]] constexpr int blocks_beside = sizeof(T) == 4 ? 3 : 2;  // that a multiprocessor has registers for

struct Outcome {
  double loss, nll, lambda, log_sum;
};

// Σ r.
template <class T>
__device__ double mass(const RowRule& rule, const RowTask& task, const Part<T>& all) {
  if (is_walked(rule, task)) return all.walk.r_sum;
  return rule.off != 0 ? rule.on + rule.off * static_cast<double>(rule.classes) : rule.on;
}

template <class T>
__device__ Outcome outcome(const RowRule& rule, const RowTask& task, const Part<T>& all) {
  const double top = static_cast<double>(all.top.value), maxima = static_cast<double>(all.sums.maxima);
  Outcome o;
  o.log_sum = std::log(maxima) + std::log1p(all.sums.tail / maxima);
  o.lambda = top + o.log_sum;
  o.nll = task.q ? all.walk.q_sum * o.log_sum + all.walk.q_distance
                 : o.log_sum + (top - static_cast<double>(all.at_target));
  if (is_walked(rule, task))
    o.loss = all.walk.r_sum * o.log_sum + all.walk.r_distance;
  else if (rule.off != 0)
    o.loss = rule.off * (static_cast<double>(rule.classes) * o.log_sum + all.sums.distance) + rule.on * o.nll;
  else
    o.loss = rule.on * o.nll;
  return o;
}

// The gradient of an entry for an upstream of 1, but for the cap: c·[(R + 2ζλ)·p − r].
template <bool is_held, class T>
__device__ void give_gradient(const RowRule& rule, const RowTask& task, const Row<T>& row, const Part<T>& all,
                              const Outcome& o) {
  const T top = all.top.value, kappa = row.kappa;
  const double total = static_cast<double>(all.sums.maxima) + all.sums.tail, c = task.coefficient,
               pull = rule.z_loss != 0 ? 2 * rule.z_loss * o.lambda : 0;
  const T factor = static_cast<T>(c * (mass(rule, task, all) + pull) / total);
  const T off = static_cast<T>(c * rule.off);
  const bool walked = is_walked(rule, task);
  const auto through_cap = [&](T d, T a) {
    const T th = a / kappa;
    return d * (1 - th * th);
  };
  row.template give<is_held>([&](int i, auto& x) {
    const auto a = x;
    for (int j = 0; j < x.size; ++j) x.x[j] = std::exp(a.x[j] - top) * factor;
    for (int j = 0; !walked && j < x.size; ++j) x.x[j] -= off;
    for (int j = 0; walked && j < x.size; ++j) x.x[j] -= static_cast<T>(c * rule.r(task, row.begin + i + j));
    for (int j = 0; kappa > 0 && j < x.size; ++j) x.x[j] = through_cap(x.x[j], a.x[j]);
  });
  const bool single = walked ? all.walk.count == 1 : rule.off == 0;  // all mass on one class
  const int64_t special = walked ? all.walk.only : task.target;
  if ((walked && !single) || !row.visits(special)) return;
  const T a = walked ? all.at_only : all.at_target, e = std::exp(a - top);
  T d = e * factor - off - static_cast<T>(c * rule.on);
  if (single)  // p − 1 would cancel as p nears 1
    d = static_cast<T>(c * (rule.r(task, special) * std::expm1(-(o.log_sum + static_cast<double>(top - a))) +
                            pull * static_cast<double>(e) / total));
  row.g[special - row.begin] = kappa > 0 ? through_cap(d, a) : d;
}

// Loss of row i, if this block is the one to tell it, and the gradient of the classes of `row`.
template <bool is_held, class T>
__device__ void finish(const kernels::RowLoss<T>& k, int64_t i, const RowTask& task, const Row<T>& row,
                       const Part<T>& all) {
  const RowRule& rule = k.rule;
  const bool tells = row.begin == 0 && threadIdx.x == 0;
  __syncthreads();  // all have read the logits of the target and of the only class, which may be overwritten here
  if (all.top.seen != Top<T>::number) {
    RowResult result;
    result.nonfinite = true;
    result.loss = result.nll = result.lambda = NAN;
    if (tells) give(k, i, result);
    for (int v = static_cast<int>(threadIdx.x); v < row.n; v += static_cast<int>(blockDim.x)) {
      if (k.bias) row.z[v] = row.logit(row.begin + v);  // as a report will name it
      if (row.g && rule.propagate) row.g[v] = static_cast<T>(NAN);
    }
    return;
  }
  // Logarithms take long: by those who have use for them.
  Outcome o{};
  if (tells || rule.z_loss != 0 || row.visits(task.target) || row.visits(all.walk.only)) o = outcome(rule, task, all);
  if (tells) give(k, i, {o.loss, o.nll, o.lambda, all.sums.first == task.target, !(std::abs(o.loss) < INFINITY)});
  if (!row.g) return;
  give_gradient<is_held>(rule, task, row, all, o);
}

// A row that does not count.
template <class T>
__device__ void clear(const kernels::RowLoss<T>& k, int64_t i, const Row<T>& row) {
  if (row.begin == 0 && threadIdx.x == 0) k.results[i] = {};
  for (int v = static_cast<int>(threadIdx.x); row.g && v < row.n; v += static_cast<int>(blockDim.x)) row.g[v] = 0;
}

template <class T>
__global__ void __launch_bounds__(row_threads_most<T>, 1) row_loss_kernel(kernels::RowLoss<T> k) {
  const RowTask task = k.tasks[blockIdx.x];
  const Row<T> row(k, task.at, 0, k.rule.classes);
  if (task.target < 0) return clear(k, blockIdx.x, row);
  finish<true>(k, blockIdx.x, task, row, scan(k.rule, task, row));
}

template <class T>
unsigned parts_in(int64_t classes) {
  return static_cast<unsigned>((classes + of_a_part<T> - 1) / of_a_part<T>);
}

// The classes [begin,end) of rows, which are in memory: as they lie in rows of V, or alone and dense.
struct Slice {
  int64_t begin, end;
  bool dense;
  unsigned parts;         // in it
  int64_t first_row = 0;  // of the grid

  __device__ int64_t row() const { return first_row + blockIdx.x / parts; }
  template <class T>
  __device__ int64_t first() const {
    return begin + blockIdx.x % parts * of_a_part<T>;
  }
  template <class T>
  __device__ Row<T> of(const kernels::RowLoss<T>& k, const RowTask& task) const {
    const int64_t from = first<T>(), to = from + of_a_part<T>;
    return {k, dense ? row() * (end - begin) - begin : task.at, from, to < end ? to : end};
  }
};

template <class T>
__global__ void __launch_bounds__(of_a_part_threads, blocks_beside<T>)
    scan_kernel(kernels::RowLoss<T> k, Slice slice, unsigned count, Part<T>* parts) {
  const RowTask task = k.tasks[slice.row()];
  if (task.target < 0) return;
  const Part<T> part = scan(k.rule, task, slice.of(k, task));
  if (threadIdx.x == 0) parts[slice.row() * count + slice.template first<T>() / of_a_part<T>] = part;
}
template <class T>
__global__ void __launch_bounds__(of_a_part_threads, blocks_beside<T>)
    finish_kernel(kernels::RowLoss<T> k, Slice slice, unsigned count, Part<T>* parts) {
  const int64_t i = slice.row();
  const RowTask task = k.tasks[i];
  const Row<T> row = slice.of(k, task);
  if (task.target < 0) return clear(k, i, row);
  finish<false>(k, i, task, row, combined(parts + i * count, k.rule.classes, task, is_walked(k.rule, task)));
}

template <class T>
size_t shared_for(int64_t classes) {
  return row_shared + static_cast<size_t>(classes) * sizeof(T);
}

template <class T>
void row_loss_cuda(const kernels::RowLoss<T>& k) {
  run_on_device(k, [](const kernels::RowLoss<T>& d) {
    const int64_t n = d.rule.classes;
    const cudaDeviceProp& gpu = gpu::properties();
    if (n <= of_one_block && shared_for<T>(n) <= gpu::most_shared_memory())
      return gpu::launch(row_loss_kernel<T>, d.rows, row_threads<T>(n), shared_for<T>(n), gpu::stream(), d);
    const unsigned count = parts_in<T>(n);
    auto* parts = Tape::current().scratch<Part<T>>(d.rows * count, Device::cuda);
    const int64_t in_cache = gpu.l2CacheSize / 2 / (n * static_cast<int64_t>(sizeof(T))),
                  step = std::max<int64_t>(1, in_cache);
    for (int64_t first = 0; first < d.rows; first += step) {
      const Slice some{0, n, false, count, first};
      const int64_t blocks = std::min(step, d.rows - first) * count;
      gpu::launch(scan_kernel<T>, blocks, of_a_part_threads, shared_for<T>(of_a_part<T>), gpu::stream(), d, some, count,
                  parts);
      gpu::launch(finish_kernel<T>, blocks, of_a_part_threads, 0, gpu::stream(), d, some, count, parts);
    }
  });
}

// The second pass begins with the chunk that the first has left in memory.
template <class T>
void row_chunks_cuda(const kernels::RowChunks<T>& k) {
  run_on_device(k.rows, [&](kernels::RowLoss<T> d) {
    const int64_t n = d.rule.classes, last = (n - 1) / k.width * k.width;
    const unsigned count = parts_in<T>(n);
    auto* parts = Tape::current().scratch<Part<T>>(d.rows * count, Device::cuda);
    const auto run = [&](auto kernel, int64_t begin, size_t shared) {
      const int64_t end = std::min(n, begin + k.width);
      const Slice slice{begin, end, true, parts_in<T>(end - begin)};
      gpu::launch(kernel, d.rows * slice.parts, of_a_part_threads, shared, gpu::stream(), d, slice, count, parts);
      return end;
    };
    for (int64_t begin = 0; begin < n; begin += k.width) {
      d.x = k.logits(begin, std::min(n, begin + k.width));
      run(scan_kernel<T>, begin, shared_for<T>(of_a_part<T>));
    }
    if (!k.gradient) return void(run(finish_kernel<T>, 0, 0));  // which tells the losses, and reads no logits
    for (int64_t begin = last; begin >= 0; begin -= k.width) {
      if (begin != last) d.x = k.logits(begin, begin + k.width);
      d.g = d.x;
      k.gradient(begin, run(finish_kernel<T>, begin, 0), d.x);
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

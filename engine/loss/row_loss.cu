// A block reads a row once, 16 bytes at a time, into shared memory; maximum, sums and gradient are made from there. A
// row of many classes is read by several blocks, whose sums a second kernel puts together; it follows while the logits
// are still in the cache of the GPU. A row that is not in memory as a whole is read chunk by chunk, twice.
#include "engine/loss/row_chunk.cuh"

namespace seqgrad {
namespace {

constexpr int64_t classes_of_one_block = 32768;
constexpr int chunk_threads = 256;
// Blocks that a multiprocessor has registers for at least.
template <class T>
[[maybe_unused]] constexpr int resident_blocks = sizeof(T) == 4 ? 3 : 2;

template <bool from_shared, class T>
__device__ void write_gradient(const RowRule& rule, const RowTask& task, const RowView<T>& row, const RowChunk<T>& all,
                               const RowLossTerms& terms) {
  const T top = all.max.value, kappa = row.kappa;
  const RowGradient<T> gradient(rule, task, all.row_sums(), terms.log_sum, terms.lambda);
  const bool has_row = base_of(rule, task) == RowBase::row;
  const auto through_cap = [&](T d, T a) {
    const T th = a / kappa;
    return kappa > 0 ? d * (1 - th * th) : d;
  };
  row.template write_gradient<from_shared>([&](int i, auto& x) {
    const auto a = x;
    for (int j = 0; j < x.size; ++j) x.x[j] = std::exp(a.x[j] - top) * gradient.factor;
    if (has_row) {
      auto base = x;
      row.load_base(rule, task, i, base);
      for (int j = 0; j < x.size; ++j) x.x[j] -= base.x[j] * gradient.base;
    } else {
      for (int j = 0; j < x.size; ++j) x.x[j] -= gradient.base;
    }
    for (int j = 0; kappa > 0 && j < x.size; ++j) x.x[j] = through_cap(x.x[j], a.x[j]);
  });
  const int64_t single = all.single(task);
  if (!task.q && row.owns(task.target)) {
    const int64_t i = task.target - row.begin;
    const T base = has_row ? row.base_row[i] * gradient.base : gradient.base;
    row.g[i] = through_cap(std::exp(all.at_target - top) * gradient.factor - base - gradient.spike, all.at_target);
  }
  if (row.owns(single))
    row.g[single - row.begin] =
        through_cap(gradient.of_single_target(std::exp(all.at_single - top), all.gap(all.at_single)), all.at_single);
}

// Loss of row i, if this block is the one to store it, and the gradient of the classes of `row`.
template <bool from_shared, class T>
__device__ void finish_row(const kernels::RowLoss<T>& k, int64_t i, const RowTask& task, const RowView<T>& row,
                           const RowChunk<T>& all) {
  const RowRule& rule = k.rule;
  const bool is_leader = row.begin == 0 && threadIdx.x == 0;
  __syncthreads();  // all have read the logits of the targets, which may be overwritten here
  if (all.max.seen != MaxStat<T>::number) {
    RowResult result;
    result.nonfinite = true;
    result.loss = result.nll = result.lambda = NAN;
    if (is_leader) store_result(k, i, result);
    for (int v = static_cast<int>(threadIdx.x); row.g && rule.propagate && v < row.n; v += static_cast<int>(blockDim.x))
      row.g[v] = static_cast<T>(NAN);
    return;
  }
  // Logarithms take long: by those who have use for them.
  RowLossTerms terms;
  if (is_leader || rule.z_loss != 0 || row.owns(all.single(task)))
    terms = RowLossTerms(rule, task, all.row_sums(), static_cast<double>(all.max.value), all.gap(all.at_target));
  if (is_leader)
    store_result(
        k, i, {terms.loss, terms.nll, terms.lambda, all.sums.first == task.target, !(std::abs(terms.loss) < INFINITY)});
  if (row.g) write_gradient<from_shared>(rule, task, row, all, terms);
}

// A row that does not count.
template <class T>
__device__ void clear(const kernels::RowLoss<T>& k, int64_t i, const RowView<T>& row) {
  if (row.begin == 0 && threadIdx.x == 0) k.results[i] = {};
  for (int v = static_cast<int>(threadIdx.x); row.g && v < row.n; v += static_cast<int>(blockDim.x)) row.g[v] = 0;
}

template <class T>
__global__ void __launch_bounds__(row_threads_most<T>, 1) row_loss_kernel(kernels::RowLoss<T> k) {
  const RowTask task = k.tasks[blockIdx.x];
  const RowView<T> row(k, task.offset, 0, k.rule.classes);
  if (task.target < 0) return clear(k, blockIdx.x, row);
  finish_row<true>(k, blockIdx.x, task, row, scan(k.rule, task, row));
}

template <class T>
unsigned chunks_in(int64_t classes) {
  return static_cast<unsigned>((classes + chunk_classes<T> - 1) / chunk_classes<T>);
}

// The classes [begin,end) of rows, which are in memory: as they lie in rows of V, or alone and dense.
struct Slice {
  int64_t begin, end;
  bool dense;
  unsigned chunks;        // in it
  int64_t first_row = 0;  // of the grid

  __device__ int64_t row() const { return first_row + blockIdx.x / chunks; }
  template <class T>
  __device__ int64_t first() const {
    return begin + blockIdx.x % chunks * chunk_classes<T>;
  }
  template <class T>
  __device__ RowView<T> of(const kernels::RowLoss<T>& k, const RowTask& task) const {
    const int64_t from = first<T>(), to = from + chunk_classes<T>;
    return {k, dense ? row() * (end - begin) - begin : task.offset, from, to < end ? to : end};
  }
};

template <class T>
__global__ void __launch_bounds__(chunk_threads, resident_blocks<T>)
    scan_kernel(kernels::RowLoss<T> k, Slice slice, unsigned count, RowChunk<T>* chunks) {
  const RowTask task = k.tasks[slice.row()];
  if (task.target < 0) return;
  const RowChunk<T> chunk = scan(k.rule, task, slice.of(k, task));
  if (threadIdx.x == 0) chunks[slice.row() * count + slice.template first<T>() / chunk_classes<T>] = chunk;
}
template <class T>
__global__ void __launch_bounds__(chunk_threads, resident_blocks<T>)
    finish_kernel(kernels::RowLoss<T> k, Slice slice, unsigned count, RowChunk<T>* chunks) {
  const int64_t i = slice.row();
  const RowTask task = k.tasks[i];
  const RowView<T> row = slice.of(k, task);
  if (task.target < 0) return clear(k, i, row);
  finish_row<false>(k, i, task, row, combined(chunks + i * count, k.rule.classes, task));
}

template <class T>
size_t shared_for(int64_t classes) {
  return row_shared + static_cast<size_t>(classes) * sizeof(T);
}

template <class T>
void row_loss_cuda(const kernels::RowLoss<T>& k) {
  const int64_t n = k.rule.classes;
  const cudaDeviceProp& gpu = gpu::properties();
  if (n <= classes_of_one_block && shared_for<T>(n) <= gpu::most_shared_memory())
    return gpu::launch(row_loss_kernel<T>, k.rows, row_threads<T>(n), shared_for<T>(n), gpu::stream(), k);
  const unsigned count = chunks_in<T>(n);
  auto* chunks = Tape::current().scratch<RowChunk<T>>(k.rows * count, Device::cuda);
  const int64_t in_cache = gpu.l2CacheSize / 2 / (n * static_cast<int64_t>(sizeof(T))),
                step = std::max<int64_t>(1, in_cache);
  for (int64_t first = 0; first < k.rows; first += step) {
    const Slice some{0, n, false, count, first};
    const int64_t blocks = std::min(step, k.rows - first) * count;
    gpu::launch(scan_kernel<T>, blocks, chunk_threads, shared_for<T>(chunk_classes<T>), gpu::stream(), k, some, count,
                chunks);
    gpu::launch(finish_kernel<T>, blocks, chunk_threads, 0, gpu::stream(), k, some, count, chunks);
  }
}

template <class T, class RowKernel>
void launch_classes(RowKernel kernel, const kernels::RowClasses<T>& k, size_t shared) {
  static_assert(sizeof(RowChunk<T>) <= kernels::chunk_bytes);
  const Slice slice{k.begin, k.end, true, chunks_in<T>(k.end - k.begin)};
  gpu::launch(kernel, k.rows.rows * slice.chunks, chunk_threads, shared, gpu::stream(), k.rows, slice,
              chunks_in<T>(k.rows.rule.classes), static_cast<RowChunk<T>*>(k.memory));
}
template <class T>
void scan_classes_cuda(const kernels::RowClasses<T>& k) {
  launch_classes(scan_kernel<T>, k, shared_for<T>(chunk_classes<T>));
}
template <class T>
void finish_classes_cuda(const kernels::RowClasses<T>& k) {
  launch_classes(finish_kernel<T>, k, 0);
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::row_loss<T>, row_loss_cuda<T>) &&
         install<Device::cuda>(kernels::scan_classes<T>, scan_classes_cuda<T>) &&
         install<Device::cuda>(kernels::finish_classes<T>, finish_classes_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad

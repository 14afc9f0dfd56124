// What the row kernels of the GPU share: sums over a block, and rules and tasks whose tables lie in device memory.
#pragma once
#include <algorithm>
#include <cmath>

#include "engine/device/gpu.cuh"
#include "engine/loss/row_loss.h"

namespace seqgrad {

template <class T>
constexpr int row_threads_most = sizeof(T) == 4 ? 1024 : 512;  // float64 needs more registers

// A function of V alone, so that a row has the same bits in every batch: a thread has some 32 classes of a wide row.
template <class T>
int row_threads(int64_t classes) {
  const int wanted = classes <= 64 ? 32 : classes <= 4096 ? 128 : classes <= 8192 ? 256 : classes <= 16384 ? 512 : 1024;
  return std::min(wanted, row_threads_most<T>);
}
constexpr size_t row_shared = 1024 / gpu::warp * 6 * sizeof(double);  // for sums of up to six numbers

__device__ inline double block_sum(double x) { return gpu::block_reduce(x, gpu::shared_memory<double>(), gpu::Plus{}); }
__device__ inline int64_t block_count(int64_t n) {
  return gpu::block_reduce(n, gpu::shared_memory<int64_t>(), gpu::Plus{});
}
struct Smaller {
  __device__ int64_t operator()(int64_t a, int64_t b) const { return a < b ? a : b; }
};
__device__ inline int64_t block_least(int64_t n) {
  return gpu::block_reduce(n, gpu::shared_memory<int64_t>(), Smaller{});
}

template <class T>
__device__ void give(const kernels::RowLoss<T>& k, int64_t i, const RowResult& result) {
  k.results[i] = result;
  if (k.stop && (result.invalid || (result.nonfinite && !k.rule.propagate))) gpu::raise(k.stop);
}

// Runs launch(k) with tables, tasks and results in device memory, and fetches the results unless they are to be kept.
template <class T, class Launch>
void run_on_device(const kernels::RowLoss<T>& k, const Launch& launch) {
  if (k.rows == 0) return;
  kernels::RowLoss<T> d = k;
  const int64_t v = k.rule.classes;
  if (k.rule.off_row) d.rule.off_row = gpu::to_device(k.rule.off_row, v);
  if (k.rule.class_weight) d.rule.class_weight = gpu::to_device(k.rule.class_weight, v);
  const double *first = nullptr, *last = nullptr;  // all distributions lie in one array
  for (int64_t i = 0; i < k.rows; ++i)
    if (const double* q = k.tasks[i].q) {
      first = !first || q < first ? q : first;
      last = !last || q > last ? q : last;
    }
  if (first) {
    const double* copy = gpu::to_device(first, last - first + v);
    RowTask* tasks = Tape::current().scratch<RowTask>(k.rows, Device::cpu);
    for (int64_t i = 0; i < k.rows; ++i) {
      tasks[i] = k.tasks[i];
      if (tasks[i].q) tasks[i].q = copy + (tasks[i].q - first);
    }
    d.tasks = tasks;
  }
  d.tasks = gpu::to_device(d.tasks, k.rows);
  d.results = k.kept ? k.kept : Tape::current().scratch<RowResult>(k.rows, Device::cuda);
  launch(d);
  if (!k.kept) backend(Device::cuda).download(k.results, d.results, static_cast<size_t>(k.rows) * sizeof(RowResult));
}

}  // namespace seqgrad

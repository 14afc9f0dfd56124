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

constexpr size_t row_shared = 1024 / gpu::warp * 5 * sizeof(double);  // for sums of up to five numbers

// Of all threads of the block, to all.
template <class S>
__device__ S block_total(const S& x) {
  static_assert(row_shared >= 1024 / gpu::warp * sizeof(S));
  return gpu::block_reduce(x, gpu::shared_memory<S>(), gpu::Plus{});
}

template <class T>
__device__ void store_result(const kernels::RowLoss<T>& k, int64_t i, const RowResult& result) {
  k.results[i] = result;
  if (k.stop && (result.invalid || (result.nonfinite && !k.rule.propagate))) gpu::raise(k.stop);
}

// The rule with its tables in device memory. Those of q' are read for dense rows and by probabilities only.
template <class T>
RowRule rule_on_device(RowRule rule, bool is_dense) {
  const auto upload = [&](auto*& table) {
    if (table) table = gpu::to_device(table, rule.classes);
  };
  if constexpr (sizeof(T) == sizeof(float))
    upload(rule.base_f32);
  else
    upload(rule.base_f64);
  if (!is_dense && rule.input == Input::logits) return rule;
  upload(rule.off_row);
  upload(rule.class_weight);
  return rule;
}

// Runs launch(k) with tables, tasks and results in device memory, and fetches the results unless they are to stay.
template <class T, class Launch>
void run_on_device(const kernels::RowLoss<T>& k, const Launch& launch) {
  if (k.rows == 0) return;
  kernels::RowLoss<T> d = k;
  const double *first = nullptr, *last = nullptr;  // all distributions lie in one array
  for (int64_t i = 0; i < k.rows; ++i)
    if (const double* q = k.tasks[i].q) {
      first = !first || q < first ? q : first;
      last = !last || q > last ? q : last;
    }
  d.rule = rule_on_device<T>(k.rule, first);
  if (first) {
    const double* copy = gpu::to_device(first, last - first + k.rule.classes);
    RowTask* tasks = Tape::current().scratch<RowTask>(k.rows, Device::cpu);
    for (int64_t i = 0; i < k.rows; ++i) {
      tasks[i] = k.tasks[i];
      if (tasks[i].q) tasks[i].q = copy + (tasks[i].q - first);
    }
    d.tasks = tasks;
  }
  d.tasks = gpu::to_device(d.tasks, k.rows);
  d.results = k.device_results ? k.device_results : Tape::current().scratch<RowResult>(k.rows, Device::cuda);
  launch(d);
  if (!k.device_results)
    backend(Device::cuda).download(k.results, d.results, static_cast<size_t>(k.rows) * sizeof(RowResult));
}

}  // namespace seqgrad

// A product over the 64 rows of one step reads and writes all of the gradient for little arithmetic; over 512 it does
// not matter.
#include "engine/ops/weight_gradient.h"

#include <algorithm>
#include <vector>

#include "engine/core/phases.h"
#include "engine/core/thread_pool.h"
#include "engine/device/gemm.h"

namespace seqgrad {
namespace {

constexpr int64_t enough = 512;  // rows: sums depend on it, and on nothing but it and the rows

template <class T>
void multiply(const Tensor& w, int64_t rows, const T* x, const T* dy) {
  const int64_t m = w.shape[0], n = w.shape[1];
  kernels::gemm<T>(w.device, {true, false, m, n, rows, x, m, dy, n, T{1}, grad(w).template as<T>(), n});
}

template <class T>
struct Collected {
  Tensor w;
  T *x, *dy;  // [enough,M] and [enough,N], of the tape
  int64_t rows = 0;
  const char* phase;

  void multiply_all() {
    multiply<T>(w, rows, x, dy);
    rows = 0;
  }
};

template <class T>
thread_local std::vector<Collected<T>> collected;

template <class T>
void multiply_the_rest() {
  for (Collected<T>& c : collected<T>) {
    const Phase phase(c.phase, true);
    c.multiply_all();
  }
}

template <class T>
Collected<T>& collection_of(const Tensor& w) {
  if (Tape::current().at_end(multiply_the_rest<T>)) collected<T>.clear();
  for (Collected<T>& c : collected<T>)
    if (c.w.slot == w.slot) return c;
  const auto memory = [&](int64_t width) { return Tape::current().scratch<T>(enough * width, w.device); };
  return collected<T>.emplace_back(Collected<T>{w, memory(w.shape[0]), memory(w.shape[1]), 0, Phase::current()});
}

template <class T>
void collect(const Tensor& w, int64_t rows, const T* x, const T* dy) {
  const int64_t m = w.shape[0], n = w.shape[1];
  thread_local std::vector<int64_t> live;
  live.clear();
  for (int64_t r = 0; r < rows; ++r)
    if (std::any_of(dy + r * n, dy + (r + 1) * n, [](T d) { return d != 0; })) live.push_back(r);
  Collected<T>& c = collection_of<T>(w);
  for (size_t done = 0; done < live.size();) {
    const auto count = std::min(static_cast<int64_t>(live.size() - done), enough - c.rows);
    parallel_ranges(count, 16, [&, from = live.data() + done](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        std::copy_n(x + from[i] * m, m, c.x + (c.rows + i) * m);
        std::copy_n(dy + from[i] * n, n, c.dy + (c.rows + i) * n);
      }
    });
    done += static_cast<size_t>(count);
    c.rows += count;
    if (c.rows == enough) c.multiply_all();
  }
}

}  // namespace

template <class T>
void add_weight_gradient(const Tensor& w, int64_t rows, const T* x, const T* dy, bool step) {
  // What the tape made must have its gradient before backward comes to it; parameters are not of the tape.
  if (step && w.device == Device::cpu && w.epoch == 0) return collect(w, rows, x, dy);
  multiply(w, rows, x, dy);
}

template void add_weight_gradient(const Tensor&, int64_t, const float*, const float*, bool);
template void add_weight_gradient(const Tensor&, int64_t, const double*, const double*, bool);

}  // namespace seqgrad

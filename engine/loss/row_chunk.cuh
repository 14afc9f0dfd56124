// What a block learns of the classes of a row, or of a chunk of them, and how chunks are put together. Sums of a thread
// are in the row's precision for at most 64 terms, then in float64; threads and chunks are combined in one fixed order.
#pragma once
#include "engine/loss/row_view.cuh"

namespace seqgrad {

constexpr int64_t no_class = INT64_MAX;
constexpr int terms_at_once = 64;

// RowSums, with what it takes to put chunks together: base_sum is Σ base_v of the chunk's own classes, a base that is
// the same everywhere taken for 1; `first` the first class with a = A.
struct SumStat {
  double tail = 0, distance = 0, base_sum = 0;
  int64_t maxima = 0, first = no_class;

  __device__ SumStat operator+(const SumStat& o) const {
    return {tail + o.tail, distance + o.distance, base_sum + o.base_sum, maxima + o.maxima,
            first < o.first ? first : o.first};
  }
};

// The same of q, for a dense row, and which classes have a part of r.
struct DenseStat {
  double q_sum = 0, q_distance = 0;
  int64_t count = 0, first = no_class;

  __device__ DenseStat operator+(const DenseStat& o) const {
    return {q_sum + o.q_sum, q_distance + o.q_distance, count + o.count, first < o.first ? first : o.first};
  }
};

template <class T>
struct RowChunk {
  MaxStat<T> max;
  T at_target, at_single;  // logits of the target and of `single`, where they are among its classes
  SumStat sums;
  DenseStat dense;

  // The class that holds all of r; -1: none does.
  __device__ int64_t single(const RowTask& task) const {
    return !task.q ? task.single_target : dense.count == 1 ? dense.first : -1;
  }
  __device__ double gap(T a) const { return static_cast<double>(max.value) - static_cast<double>(a); }
  __device__ RowSums row_sums() const { return {sums.maxima, sums.tail, sums.distance, dense.q_distance}; }
};

// A − a, and 0 at the maximum: where all of a chunk is −∞, so is its maximum, and the whole row's may be finite.
template <class T>
__device__ T gap_below(T top, T a) {
  return a == top ? T{0} : top - a;
}

template <class T>
__device__ SumStat sum_classes(const RowRule& rule, const RowTask& task, const RowView<T>& row, T top) {
  const RowBase kind = base_of(rule, task);
  SumStat s;
  T tail = 0, distance = 0;
  int terms = 0;
  const auto flush = [&] {
    s.tail += static_cast<double>(tail);
    s.distance += static_cast<double>(distance);
    tail = distance = 0;
    terms = 0;
  };
  row.for_each_read([&](int i, auto& x) {
    T most = x.x[0];
    for (int j = 1; j < x.size; ++j) most = std::fmax(most, x.x[j]);
    if (most != top) {
      for (int j = 0; j < x.size; ++j) tail += std::exp(x.x[j] - top);
    } else {
      for (int j = 0; j < x.size; ++j)
        if (x.x[j] == top)
          ++s.maxima, s.first = s.first < row.begin + i + j ? s.first : row.begin + i + j;
        else
          tail += std::exp(x.x[j] - top);
    }
    if (kind == RowBase::uniform)
      for (int j = 0; j < x.size; ++j) distance += gap_below(top, x.x[j]);
    if (kind == RowBase::row) {
      auto base = x;
      row.load_base(rule, task, i, base);
      for (int j = 0; j < x.size; ++j)
        if (base.x[j] != 0) {  // so that 0·∞ is 0
          distance += base.x[j] * gap_below(top, x.x[j]);
          s.base_sum += static_cast<double>(base.x[j]);
        }
    }
    if ((terms += x.size) >= terms_at_once) flush();
  });
  flush();
  s = block_total(s);
  if (kind == RowBase::uniform) s.base_sum = row.n;
  return s;
}

template <class T>
__device__ DenseStat sum_distribution(const RowRule& rule, const RowTask& task, const RowView<T>& row, T top) {
  DenseStat s;
  row.for_each_read([&](int i, auto& x) {
    for (int j = 0; j < x.size; ++j) {
      const int64_t v = row.begin + i + j;
      if (rule.r(task, v) != 0) ++s.count, s.first = v < s.first ? v : s.first;
      if (const double q = task.q[v]; q != 0) {  // so that 0·∞ is 0
        s.q_sum += q;
        s.q_distance += q * static_cast<double>(gap_below(top, x.x[j]));
      }
    }
  });
  return block_total(s);
}

// By all threads of a block, to all.
template <class T>
__device__ RowChunk<T> scan(const RowRule& rule, const RowTask& task, const RowView<T>& row) {
  RowChunk<T> chunk;
  chunk.at_target = row.at(task.target);
  chunk.max = block_total(row.read());
  chunk.sums = sum_classes(rule, task, row, chunk.max.value);
  if (task.q) chunk.dense = sum_distribution(rule, task, row, chunk.max.value);
  chunk.at_single = row.at(chunk.single(task));
  return chunk;
}

// Of a whole row of n classes, from its chunks: by a warp, a lane a chunk, to all of it.
template <class T>
__device__ RowChunk<T> combined(const RowChunk<T>* chunks, int64_t n, const RowTask& task) {
  const int count = static_cast<int>((n + chunk_classes<T> - 1) / chunk_classes<T>),
            lane = static_cast<int>(threadIdx.x) % gpu::warp;
  RowChunk<T> all;
  for (int p = lane; p < count; p += gpu::warp) all.max = all.max + chunks[p].max;
  all.max = gpu::warp_reduce(all.max, gpu::Plus{});
  for (int p = lane; p < count; p += gpu::warp) {
    const T top = chunks[p].max.value;
    SumStat s = chunks[p].sums;
    DenseStat d = chunks[p].dense;
    if (top != all.max.value) {
      const double lower = static_cast<double>(all.max.value - top);
      s.tail = (s.tail + static_cast<double>(s.maxima)) * static_cast<double>(std::exp(top - all.max.value));
      s.maxima = 0;
      s.first = no_class;
      s.distance += s.base_sum != 0 ? s.base_sum * lower : 0;
      d.q_distance += d.q_sum != 0 ? d.q_sum * lower : 0;
    }
    all.sums = all.sums + s;
    all.dense = all.dense + d;
  }
  all.sums = gpu::warp_reduce(all.sums, gpu::Plus{});
  if (task.q) all.dense = gpu::warp_reduce(all.dense, gpu::Plus{});
  all.at_target = chunks[task.target / chunk_classes<T>].at_target;
  const int64_t single = all.single(task);
  all.at_single = single < 0 ? T{0} : chunks[single / chunk_classes<T>].at_single;
  return all;
}

}  // namespace seqgrad

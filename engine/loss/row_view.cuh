// How a block reads logits: once, each thread its own, in packs of 16 bytes where they are aligned.
#pragma once
#include "engine/loss/row_device.cuh"
#include "engine/loss/row_formulas.h"
#include "engine/ops/vector_math.h"

namespace seqgrad {

// The maximum of logits, and what they hold.
template <class T>
struct MaxStat {
  T value = -static_cast<T>(INFINITY);
  int seen = 0;  // bits: a NaN or +inf, which a cap would hide; a number above -inf
  static constexpr int bad = 1, number = 2;

  __device__ MaxStat operator+(const MaxStat& o) const { return {value > o.value ? value : o.value, seen | o.seen}; }
};

template <class T, int N>
struct alignas(N * sizeof(T)) Pack {
  static constexpr int size = N;
  T x[N];

  __device__ void load(const T* from) { *this = *reinterpret_cast<const Pack*>(from); }
  __device__ void store(T* to) const { *reinterpret_cast<Pack*>(to) = *this; }
};

// The logits of the classes [begin,end) of a row, with the bias that is still to be added and the cap.
template <class T>
struct RowView {
  T *z, *g;
  const T *bias, *base_row;
  T kappa;
  int64_t begin;
  int n;
  bool packed;  // all are aligned to 16 bytes: a function of V, since arrays are

  static constexpr int pack = sizeof(T) == 4 ? 4 : 1;  // float64 is for checks, and has not the registers

  __device__ RowView(const kernels::RowLoss<T>& k, int64_t offset, int64_t first, int64_t end)
      : z(k.x + offset + first),
        g(k.g ? k.g + offset + first : nullptr),
        bias(k.bias ? k.bias + first : nullptr),
        base_row(k.rule.template base_row<T>() ? k.rule.template base_row<T>() + first : nullptr),
        kappa(static_cast<T>(k.rule.softcap)),
        begin(first),
        n(static_cast<int>(end - first)) {
    const auto address = [](const T* p) { return reinterpret_cast<uintptr_t>(p); };
    packed = (address(z) | address(g) | address(bias) | address(base_row)) % sizeof(Pack<T, pack>) == 0 &&
             k.rule.classes % pack == 0;
  }

  __device__ bool has(int64_t v) const { return v >= begin && v < begin + n; }
  __device__ T logit(int64_t v) const { return bias ? z[v - begin] + bias[v - begin] : z[v - begin]; }
  __device__ T capped(T x) const { return kappa > 0 ? kappa * fast_tanh(x / kappa) : x; }
  __device__ T at(int64_t v) const { return has(v) ? capped(logit(v)) : T{0}; }
  // Whether class v is one that this thread goes through.
  __device__ bool owns(int64_t v) const {
    return has(v) && static_cast<unsigned>(v - begin) / (packed ? pack : 1) % blockDim.x == threadIdx.x;
  }

  // The logits from class begin + i on, before the cap.
  template <int N>
  __device__ void load(int i, Pack<T, N>& x) const {
    x.load(z + i);
    if (!bias) return;
    Pack<T, N> b;
    b.load(bias + i);
    for (int j = 0; j < N; ++j) x.x[j] += b.x[j];
  }
  // What r has from class begin + i on beside a spike, if it is not the same everywhere.
  template <int N>
  __device__ void load_base(const RowRule& rule, const RowTask& task, int i, Pack<T, N>& base) const {
    if (!task.q) return base.load(base_row + i);
    for (int j = 0; j < N; ++j) base.x[j] = as_weight<T>(rule.r(task, begin + i + j));
  }

  // Their maximum after the cap, of this thread; they are kept in shared memory from here on.
  __device__ MaxStat<T> read() const {
    constexpr T inf = static_cast<T>(INFINITY);
    T raw = -inf, top = -inf;
    bool bad = false;
    for_each_pack<4>([&](int i, auto& x) { load(i, x); },
                     [&](int i, auto& x) {
                       for (int j = 0; j < x.size; ++j) {
                         bad |= !(x.x[j] < inf);
                         raw = std::fmax(raw, x.x[j]);
                         x.x[j] = capped(x.x[j]);
                         top = std::fmax(top, x.x[j]);
                       }
                       x.store(memory() + i);
                     });
    return {top, (bad ? MaxStat<T>::bad : 0) | (raw > -inf ? MaxStat<T>::number : 0)};
  }
  // f(i, x) for each pack of what was read.
  template <class F>
  __device__ void for_each_read(const F& f) const {
    for_each_pack<1>([&](int i, auto& x) { x.load(memory() + i); }, f);
  }
  // What f(i, x) makes of packs of logits after the cap goes where gradients go.
  template <bool from_shared, class F>
  __device__ void write_gradient(const F& f) const {
    for_each_pack<1>(
        [&](int i, auto& x) {
          if constexpr (from_shared) {
            x.load(memory() + i);
          } else {
            load(i, x);
            for (int j = 0; j < x.size; ++j) x.x[j] = capped(x.x[j]);
          }
        },
        [&](int i, auto& x) {
          f(i, x);
          x.store(g + i);
        });
  }

 private:
  __device__ static T* memory() { return reinterpret_cast<T*>(gpu::shared_memory<unsigned char>() + row_shared); }

  // f(i, x) for all packs x of this thread, from class begin + i on; `at_once` of them are loaded first.
  template <int at_once, class Load, class F>
  __device__ void for_each_pack(const Load& load, const F& f) const {
    if (packed) return for_each_pack_of<at_once, pack>(load, f);
    if constexpr (pack > 1) for_each_pack_of<at_once, 1>(load, f);
  }
  template <int at_once, int N, class Load, class F>
  __device__ void for_each_pack_of(const Load& load, const F& f) const {
    const int step = static_cast<int>(blockDim.x) * N;
    for (int i = static_cast<int>(threadIdx.x) * N; i < n; i += at_once * step) {
      Pack<T, N> x[at_once];
      for (int j = 0; j < at_once; ++j)
        if (i + j * step < n) load(i + j * step, x[j]);
      for (int j = 0; j < at_once; ++j)
        if (i + j * step < n) f(i + j * step, x[j]);
    }
  }
};

}  // namespace seqgrad

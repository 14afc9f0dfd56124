// The kernels of cells and attention in vectors; the body of cell_kernels_base.cpp, cell_kernels_avx2.cpp and
// cell_kernels_avx512.cpp. A test compares each of them with the plain loops of cell_kernels.cpp.
#pragma once
#include "engine/ops/cell_kernels.h"
#include "engine/ops/vec_math.h"

namespace seqgrad::SEQGRAD_ISA {

constexpr int64_t lanes = Vec<float>::lanes;

inline FloatVec read(const float* p, int64_t count) { return load_some<float>(p, count, 0.0f); }
inline void write(float* p, int64_t count, FloatVec x) { store_some<float>(p, count, x); }
inline void add(float* p, int64_t count, FloatVec x) { write(p, count, read(p, count) + x); }

// f<registers>(i, count): the numbers from i on, in so many registers, of which the last has `count` of them: four
// registers at a time, then one.
template <class F>
inline void in_registers(int64_t n, const F& f) {
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) f.template operator()<4>(i, lanes);
  for (; i + lanes <= n; i += lanes) f.template operator()<1>(i, lanes);
  if (i < n) f.template operator()<1>(i, n - i);
}

// The sum of all lanes: halves are added until four are left.
typedef float FourFloats __attribute__((vector_size(16)));
typedef float EightFloats __attribute__((vector_size(32)));
template <class Half, class Whole>
inline Half sum_of_halves(Whole x) {
  Half halves[2];
  __builtin_memcpy(halves, &x, sizeof x);
  return halves[0] + halves[1];
}
template <class V>
inline float total(V x) {
  if constexpr (sizeof(V) == 64) return total(sum_of_halves<EightFloats>(x));
  if constexpr (sizeof(V) == 32) return total(sum_of_halves<FourFloats>(x));
  return (x[0] + x[2]) + (x[1] + x[3]);
}

inline void gru_cell(const float* gx, const float* gh, const float* bias, const float* h_prev, float* h, float* saved,
                     int64_t hidden) {
  float *const r = saved, *const z = r + hidden, *const n = z + hidden, *const hn_proj = n + hidden;
  in_registers(2 * hidden, [=]<int64_t registers>(int64_t i, int64_t count) {
    FloatVec x[registers];
    for (int64_t j = 0; j < registers; ++j) {
      const int64_t at = i + j * lanes;
      x[j] = read(gx + at, count) + read(gh + at, count) + read(bias + at, count);
    }
    sigmoid(x);
    for (int64_t j = 0; j < registers; ++j) write(r + i + j * lanes, count, x[j]);
  });
  gx += 2 * hidden, gh += 2 * hidden, bias += 2 * hidden;
  in_registers(hidden, [=]<int64_t registers>(int64_t i, int64_t count) {
    FloatVec x[registers];
    for (int64_t j = 0; j < registers; ++j) {
      const int64_t at = i + j * lanes;
      const FloatVec projected = read(gh + at, count) + read(bias + at, count);
      write(hn_proj + at, count, projected);
      x[j] = fused(read(r + at, count), projected, read(gx + at, count));
    }
    tanh(x);
    for (int64_t j = 0; j < registers; ++j) {
      const int64_t at = i + j * lanes;
      write(n + at, count, x[j]);
      write(h + at, count, fused(read(z + at, count), read(h_prev + at, count) - x[j], x[j]));
    }
  });
}

inline void gru_cell_grad(const float* saved, const float* h_prev, float* dh, const float* dy, float* dgx, float* dgh,
                          int64_t hidden) {
  const auto one_register = [=](int64_t i, int64_t count) {
    const float* const gates = saved + i;
    const FloatVec r = read(gates, count), z = read(gates + hidden, count), n = read(gates + 2 * hidden, count),
                   hn_proj = read(gates + 3 * hidden, count), d = read(dh + i, count) + read(dy + i, count);
    const FloatVec dn = d * (1.0f - z) * fused(-n, n, broadcast(1.0f));
    const FloatVec dz = d * (read(h_prev + i, count) - n) * (z * (1.0f - z));
    const FloatVec dr = dn * hn_proj * (r * (1.0f - r));
    const FloatVec of_gates[] = {dr, dz, dn}, of_projected[] = {dr, dz, dn * r};
    for (int64_t gate = 0; gate < 3; ++gate) {
      write(dgx + gate * hidden + i, count, FloatVec{} + of_gates[gate]);  // which makes -0 a 0
      write(dgh + gate * hidden + i, count, of_projected[gate]);
    }
    write(dh + i, count, d * z);
  };
  int64_t i = 0;
  for (; i + lanes <= hidden; i += lanes) one_register(i, lanes);
  if (i < hidden) one_register(i, hidden - i);
}

// scores[k] = Σ v·value of key k's numbers, which become what `values` makes of them and of q's.
template <class Values>
inline void scores_where(const float* q, VectorRows<const float> keys, const float* v, int64_t n, float* scores,
                         const Values& values) {
  for (int64_t k = 0; k < keys.count; ++k) {
    const float* const key = keys.data + k * keys.ld;
    FloatVec sums[4] = {};
    in_registers(n, [&]<int64_t registers>(int64_t i, int64_t count) {
      FloatVec x[registers];
      for (int64_t j = 0; j < registers; ++j) x[j] = read(key + i + j * lanes, count);
      values(q + i, count, x);
      for (int64_t j = 0; j < registers; ++j) sums[j] = fused(read(v + i + j * lanes, count), x[j], sums[j]);
    });
    scores[k] = total((sums[0] + sums[1]) + (sums[2] + sums[3]));
  }
}

struct TanhOfSum {
  template <int64_t registers>
  void operator()(const float* q, int64_t count, FloatVec (&x)[registers]) const {
    for (int64_t j = 0; j < registers; ++j) x[j] += read(q + j * lanes, count);
    tanh(x);
  }
};
struct TanhOfExponentials {
  template <int64_t registers>
  void operator()(const float* eq, int64_t count, FloatVec (&x)[registers]) const {
    for (int64_t j = 0; j < registers; ++j) {
      x[j] *= read(eq + j * lanes, count);
      x[j] = (x[j] - 1.0f) / (x[j] + 1.0f);
    }
  }
};

inline void additive_scores(const float* q, VectorRows<const float> keys, const float* v, int64_t n, float* scores) {
  scores_where(q, keys, v, n, scores, TanhOfSum{});
}
inline void scores_of_exponentials(const float* eq, VectorRows<const float> ekeys, const float* v, int64_t n,
                                   float* scores) {
  scores_where(eq, ekeys, v, n, scores, TanhOfExponentials{});
}

// `derivative` makes a key's numbers tanh, and returns 1 - tanh².
template <class Derivative>
inline void scores_grad_where(const float* q, VectorRows<const float> keys, const float* v, int64_t n,
                              const float* dscores, float* dq, float* dkeys, float* dv, const Derivative& derivative) {
  in_registers(n, [&]<int64_t registers>(int64_t first, int64_t count) {
    for (int64_t i = first; i < first + registers * lanes; i += lanes) {
      const FloatVec of_q = read(q + i, count), of_v = read(v + i, count);
      FloatVec sum_q{}, sum_v{};
      for (int64_t k = 0; k < keys.count; ++k) {
        FloatVec x[1] = {read(keys.data + k * keys.ld + i, count)};
        const FloatVec slope = derivative(of_q, x), d = broadcast(dscores[k]), du = d * of_v * slope;
        sum_q += du;
        sum_v = fused(d, x[0], sum_v);
        add(dkeys + k * keys.ld + i, count, du);
      }
      add(dq + i, count, sum_q);
      add(dv + i, count, sum_v);
    }
  });
}

inline void additive_scores_grad(const float* q, VectorRows<const float> keys, const float* v, int64_t n,
                                 const float* dscores, float* dq, float* dkeys, float* dv) {
  scores_grad_where(q, keys, v, n, dscores, dq, dkeys, dv, [](FloatVec of_q, FloatVec(&x)[1]) {
    x[0] += of_q;
    tanh(x);
    return fused(-x[0], x[0], broadcast(1.0f));
  });
}
inline void scores_of_exponentials_grad(const float* eq, VectorRows<const float> ekeys, const float* v, int64_t n,
                                        const float* dscores, float* dq, float* dkeys, float* dv) {
  scores_grad_where(eq, ekeys, v, n, dscores, dq, dkeys, dv, [](FloatVec of_q, FloatVec(&x)[1]) {
    const FloatVec p = of_q * x[0], r = 1.0f / (p + 1.0f);
    x[0] = (p - 1.0f) * r;
    return 4.0f * (p * r) * r;
  });
}

inline bool double_exponentials(const float* x, float* e, int64_t n) {
  constexpr float widest = 2 * largest_doubled;
  Vec<float>::mask outside{};
  in_registers(n, [&]<int64_t registers>(int64_t i, int64_t count) {
    FloatVec gap[registers], y[registers];
    for (int64_t j = 0; j < registers; ++j) {
      gap[j] = -2.0f * read(x + i + j * lanes, count);
      outside |= ~((gap[j] <= widest) & (gap[j] >= -widest));
    }
    normal_exp(gap, y);
    for (int64_t j = 0; j < registers; ++j) write(e + i + j * lanes, count, y[j]);
  });
  return !any(outside);
}

inline void softmax(float* x, int64_t n) {
  constexpr float nothing = -__builtin_inff();
  FloatVec tops = broadcast(nothing), sums{};
  int64_t i = 0;
  for (; i < n; i += lanes) tops = max(load_some<float>(x + i, n - i < lanes ? n - i : lanes, nothing), tops);
  float top = nothing;
  for (int64_t j = 0; j < lanes; ++j) top = tops[j] > top ? tops[j] : top;
  for (i = 0; i < n; i += lanes) {
    const int64_t count = n - i < lanes ? n - i : lanes;
    const FloatVec gap[1] = {top - load_some<float>(x + i, count, nothing)};
    FloatVec y[1];
    normal_exp(gap, y);
    y[0] = gap[0] > largest_exponent ? FloatVec{} : gap[0] == gap[0] ? y[0] : gap[0];
    sums += y[0];
    write(x + i, count, y[0]);
  }
  const float all = total(sums);
  for (i = 0; i < n; i += lanes) {
    const int64_t count = n - i < lanes ? n - i : lanes;
    write(x + i, count, read(x + i, count) / all);
  }
}

template <int64_t together>
inline void add_dots_of(const float* x, const float* rows, int64_t ld, int64_t n, float* dots) {
  FloatVec sums[together][2] = {};
  const auto add_to = [&](int64_t half, int64_t i, int64_t count) {
    const FloatVec of_x = read(x + i, count);
    for (int64_t k = 0; k < together; ++k) sums[k][half] = fused(of_x, read(rows + k * ld + i, count), sums[k][half]);
  };
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) add_to(0, i, lanes), add_to(1, i + lanes, lanes);
  for (; i < n; i += lanes) add_to(0, i, n - i < lanes ? n - i : lanes);
  for (int64_t k = 0; k < together; ++k) dots[k] += total(sums[k][0] + sums[k][1]);
}

inline void add_dots(const float* x, VectorRows<const float> rows, int64_t n, float* dots) {
  int64_t k = 0;
  for (; k + 4 <= rows.count; k += 4) add_dots_of<4>(x, rows.data + k * rows.ld, rows.ld, n, dots + k);
  for (; k < rows.count; ++k) add_dots_of<1>(x, rows.data + k * rows.ld, rows.ld, n, dots + k);
}

inline void add_rows(const float* weights, VectorRows<const float> rows, int64_t n, float* y) {
  in_registers(n, [=]<int64_t registers>(int64_t i, int64_t count) {
    FloatVec sums[registers];
    for (int64_t j = 0; j < registers; ++j) sums[j] = read(y + i + j * lanes, count);
    for (int64_t k = 0; k < rows.count; ++k)
      for (int64_t j = 0; j < registers; ++j)
        sums[j] = fused(broadcast(weights[k]), read(rows.data + k * rows.ld + i + j * lanes, count), sums[j]);
    for (int64_t j = 0; j < registers; ++j) write(y + i + j * lanes, count, sums[j]);
  });
}

// A constant, not an initialiser that runs: that would run on machines without these instructions, too.
inline constexpr CellKernels<float> cell_kernels_of(const char* isa) {
  return {isa,
          gru_cell,
          gru_cell_grad,
          additive_scores,
          additive_scores_grad,
          double_exponentials,
          scores_of_exponentials,
          scores_of_exponentials_grad,
          softmax,
          add_dots,
          add_rows};
}

}  // namespace seqgrad::SEQGRAD_ISA

// exp, sigmoid and tanh of float32 in vectors (core/vec.h), to a few units in the last place; vector_math.h says them
// plainly. Of a few registers step by step: one register after the other, each step would wait for the one before it.
#pragma once
#include "engine/core/vec.h"

namespace seqgrad::SEQGRAD_ISA {

constexpr float rounder = 12582912.0f;  // 1.5·2^23: adding it rounds to an integer, which the low bits then are

// exp(-gap) where it is a normal number, elsewhere and of NaN anything: -gap = n·ln 2 + f, a polynomial for exp(f)
// (Cephes' expf), and n added to the exponent's bits.
template <int64_t count>
inline void normal_exp(const FloatVec (&gap)[count], FloatVec (&y)[count]) {
  FloatVec shifted[count], f[count];
  for (int64_t j = 0; j < count; ++j) shifted[j] = fused(gap[j], broadcast(-1.44269504f), broadcast(rounder));
  for (int64_t j = 0; j < count; ++j) {
    const FloatVec n = shifted[j] - rounder;
    f[j] = fused(n, broadcast(2.12194440e-4f), -fused(n, broadcast(0.693359375f), gap[j]));
  }
  for (int64_t j = 0; j < count; ++j) y[j] = fused(f[j], broadcast(1.9875691500e-4f), broadcast(1.3981999507e-3f));
  for (int64_t j = 0; j < count; ++j) y[j] = fused(y[j], f[j], broadcast(8.3334519073e-3f));
  for (int64_t j = 0; j < count; ++j) y[j] = fused(y[j], f[j], broadcast(4.1665795894e-2f));
  for (int64_t j = 0; j < count; ++j) y[j] = fused(y[j], f[j], broadcast(1.6666665459e-1f));
  for (int64_t j = 0; j < count; ++j) y[j] = fused(y[j], f[j], broadcast(5.0000001201e-1f));
  for (int64_t j = 0; j < count; ++j) y[j] = fused(y[j], f[j] * f[j], f[j]) + 1.0f;
  // What stands above the low bits leaves on the left.
  for (int64_t j = 0; j < count; ++j) y[j] = (FloatVec)((FloatBits)y[j] + ((FloatBits)shifted[j] << 23));
}

constexpr float largest_exponent = 87.0f;  // exp of it and of its negative are normal numbers

// 1 / (1 + exp(-x)), which from ±87 on is 1 or next to nothing; NaN stays NaN.
template <int64_t count>
inline void sigmoid(FloatVec (&x)[count]) {
  FloatVec gap[count], y[count];
  for (int64_t j = 0; j < count; ++j)
    gap[j] = min(max(x[j], broadcast(-largest_exponent)), broadcast(largest_exponent));
  normal_exp(gap, y);
  for (int64_t j = 0; j < count; ++j) x[j] = x[j] == x[j] ? 1.0f / (1.0f + y[j]) : x[j];
}

// tanh as vector_math.h has it; NaN stays NaN.
template <int64_t count>
inline void tanh(FloatVec (&x)[count]) {
  constexpr float all_ones = 10.0f;  // from where on tanh rounds to 1
  constexpr uint32_t sign = 0x80000000u, one = 0x3f800000u;
  FloatVec shifted[count], f[count], z[count], t[count];
  for (int64_t j = 0; j < count; ++j) {
    const auto a = (FloatVec)((FloatBits)x[j] & ~sign);
    f[j] = a > all_ones ? broadcast(all_ones) : a;
    shifted[j] = fused(f[j], broadcast(2.88539008f), broadcast(rounder));
  }
  for (int64_t j = 0; j < count; ++j) {
    const FloatVec n = shifted[j] - rounder;
    f[j] = fused(n, broadcast(1.06097220e-4f), fused(n, broadcast(-0.3466796875f), f[j]));
    z[j] = f[j] * f[j];
  }
  for (int64_t j = 0; j < count; ++j) t[j] = fused(z[j], broadcast(-5.270366723e-2f), broadcast(1.333110199e-1f));
  for (int64_t j = 0; j < count; ++j) t[j] = fused(t[j], z[j], broadcast(-3.333332211e-1f));
  for (int64_t j = 0; j < count; ++j) t[j] = fused(t[j], z[j] * f[j], f[j]);
  for (int64_t j = 0; j < count; ++j) {
    const auto power = (FloatVec)(((FloatBits)shifted[j] << 23) + one);
    const FloatVec over = fused(power + 1.0f, t[j], power - 1.0f);
    t[j] = over / (over + fused(t[j], broadcast(-2.0f), broadcast(2.0f)));
  }
  for (int64_t j = 0; j < count; ++j) x[j] = (FloatVec)((FloatBits)t[j] | ((FloatBits)x[j] & sign));
}

}  // namespace seqgrad::SEQGRAD_ISA

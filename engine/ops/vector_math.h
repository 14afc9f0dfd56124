// Branch-free exp, tanh and sigmoid that compilers vectorise; float32 to 3 ulp (exp 2), float64 by the C library.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "engine/core/host_device.h"

namespace seqgrad {

// exp for float where it is a normal number: range reduction by ln 2 in two parts and a degree-6 polynomial (the method
// of Cephes' expf). Elsewhere, and of NaN, the result is any number.
SEQGRAD_HD inline float normal_exp(float x) {
  constexpr float rounder = 12582912.0f;  // 1.5·2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504f + rounder;
  const float n = shifted - rounder;
  const float f = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  p = p * (f * f) + f + 1.0f;
  uint32_t bits, low;  // the low bits of `shifted` are n, which is added to the exponent
  std::memcpy(&bits, &p, 4);
  std::memcpy(&low, &shifted, 4);
  bits += low << 23;
  std::memcpy(&p, &bits, 4);
  return p;
}

constexpr float lowest_exp = -87.33654f, highest_exp = 88.72283f;  // whose exp are normal numbers

// NaN stays NaN, overflow gives +inf, results below the smallest normal number are 0.
SEQGRAD_HD inline float fast_exp(float x) {
  const float y = x < lowest_exp ? 0.0f : normal_exp(x);
  return x <= highest_exp ? y : x * INFINITY;
}
SEQGRAD_HD inline double fast_exp(double x) { return std::exp(x); }

SEQGRAD_HD inline float fast_sigmoid(float x) { return 1.0f / (1.0f + fast_exp(-x)); }
SEQGRAD_HD inline double fast_sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// tanh for float: |x| = n·(ln 2)/2 + f, an odd polynomial for t = tanh f (fitted to the least relative error, 2e-10),
// and with A = 2ⁿ = exp(n·ln 2) the sum of arguments as (A(1+t) − (1−t)) / (A(1+t) + (1−t)), which for n = 0 is t.
SEQGRAD_HD inline float fast_tanh(float x) {
  constexpr float rounder = 12582912.0f, all_ones = 10.0f;  // from where on tanh rounds to 1
  float a = x < 0 ? -x : x;
  a = a > all_ones ? all_ones : a;
  const float shifted = a * 2.88539008f + rounder;
  const float n = shifted - rounder;
  const float f = (a - n * 0.3466796875f) + n * 1.06097220e-4f;
  const float z = f * f;
  const float t = ((-5.270366723e-2f * z + 1.333110199e-1f) * z - 3.333332211e-1f) * (z * f) + f;
  uint32_t bits;  // of A; the low bits of `shifted` are n
  std::memcpy(&bits, &shifted, 4);
  bits = (bits << 23) + 0x3f800000u;
  float power;
  std::memcpy(&power, &bits, 4);
  const float over = (power - 1) + (power + 1) * t;
  const float y = over / (over + (2 - 2 * t));
  return x < 0 ? -y : y;
}
SEQGRAD_HD inline double fast_tanh(double x) { return std::tanh(x); }

// A weight in another precision. What is not 0 stays so: where a term of weight 0 is left out, this one must not be.
template <class T>
SEQGRAD_HD T as_weight(double r) {
  constexpr double least = sizeof(T) == 4 ? 0x1p-126 : 0x1p-1022;  // the smallest normal number
  return static_cast<T>(r > 0 && r < least ? least : r < 0 && r > -least ? -least : r);
}

}  // namespace seqgrad

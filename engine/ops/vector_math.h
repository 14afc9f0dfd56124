// Branch-free exp, tanh and sigmoid that compilers vectorise; float32 to 2 ulp, float64 by the C library.
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

// tanh for float: an odd polynomial near 0 (Cephes' tanhf), (1-e)/(1+e) with e = exp(-2|x|) elsewhere.
SEQGRAD_HD inline float fast_tanh(float x) {
  const float a = x < 0 ? -x : x;
  const float e = -2.0f * a < lowest_exp ? 0.0f : normal_exp(-2.0f * a);
  const float big = (1.0f - e) / (1.0f + e);
  const float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float small = x * z * p + x;
  return a >= 0.625f ? (x < 0 ? -big : big) : small;  // of NaN: the polynomial's
}
SEQGRAD_HD inline double fast_tanh(double x) { return std::tanh(x); }

// A weight in another precision. What is not 0 stays so: where a term of weight 0 is left out, this one must not be.
template <class T>
SEQGRAD_HD T as_weight(double r) {
  constexpr double least = sizeof(T) == 4 ? 0x1p-126 : 0x1p-1022;  // the smallest normal number
  return static_cast<T>(r > 0 && r < least ? least : r < 0 && r > -least ? -least : r);
}

}  // namespace seqgrad

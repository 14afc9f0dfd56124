// Branch-free exp, tanh and sigmoid that compilers vectorise; float32 to 2 ulp, float64 by the C library.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "engine/core/host_device.h"

namespace seqgrad {

// exp for float: range reduction by ln 2 in two parts and a degree-6 polynomial (the method of Cephes' expf).
// NaN stays NaN, overflow gives +inf, results below the smallest normal number are 0.
SEQGRAD_HD inline float fast_exp(float x) {
  constexpr float low = -87.33654f, high = 88.72284f;
  const float c = x < low ? low : x > high ? high : x;
  constexpr float round = 12582912.0f;  // 1.5·2^23: adding it rounds to an integer
  const float n = (c * 1.44269504f + round) - round;
  const float f = (c - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  p = p * (f * f) + f + 1.0f;
  // 2^n in two factors, since 2^128 is no float although exp(88.7) is.
  const int32_t i = static_cast<int32_t>(n == n ? n : 0.0f);
  const int32_t half = i / 2;
  const uint32_t a = static_cast<uint32_t>(half + 127) << 23, b = static_cast<uint32_t>(i - half + 127) << 23;
  float fa, fb;
  std::memcpy(&fa, &a, 4);
  std::memcpy(&fb, &b, 4);
  const float y = p * fa * fb;
  return x < low ? 0.0f : x > high ? INFINITY : y;
}
SEQGRAD_HD inline double fast_exp(double x) { return std::exp(x); }

SEQGRAD_HD inline float fast_sigmoid(float x) { return 1.0f / (1.0f + fast_exp(-x)); }
SEQGRAD_HD inline double fast_sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// tanh for float: an odd polynomial near 0 (Cephes' tanhf), (1-e)/(1+e) with e = exp(-2|x|) elsewhere.
SEQGRAD_HD inline float fast_tanh(float x) {
  const float a = x < 0 ? -x : x;
  const float e = fast_exp(-2.0f * a);
  const float big = (1.0f - e) / (1.0f + e);
  const float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float small = a * z * p + a;
  const float y = a < 0.625f ? small : big;
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

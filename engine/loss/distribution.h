// Target distributions in the type in which they were given. Float64 holds every float32, so the same numbers give the
// same bits in either; float32 is half as much to read.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/core/host_device.h"

namespace seqgrad {

// Of one row [V], or of rows that follow each other; without either pointer there is none.
struct Distribution {
  const double* f64 = nullptr;
  const float* f32 = nullptr;

  SEQGRAD_HD explicit operator bool() const { return f64 || f32; }
  SEQGRAD_HD double operator[](int64_t v) const { return f64 ? f64[v] : static_cast<double>(f32[v]); }
  SEQGRAD_HD Distribution from(int64_t v) const { return {f64 ? f64 + v : nullptr, f32 ? f32 + v : nullptr}; }
  template <class T>
  const T* of() const {  // null: in the other type
    if constexpr (sizeof(T) == sizeof(float))
      return f32;
    else
      return f64;
  }
};

// One of the two is empty.
struct DenseRows {
  std::vector<double> f64;
  std::vector<float> f32;

  bool empty() const { return f64.empty() && f32.empty(); }
  Distribution view() const { return {f64.empty() ? nullptr : f64.data(), f32.empty() ? nullptr : f32.data()}; }
};

}  // namespace seqgrad

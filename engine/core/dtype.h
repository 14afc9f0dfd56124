// Element types of tensors, and the one place that turns a run-time dtype into a template argument.
#pragma once
#include <cstddef>
#include <cstdint>

#include "engine/core/error.h"

namespace seqgrad {

enum class DType : uint8_t { f32, f64, i32, i64, u8 };

constexpr size_t size_of(DType t) { return t == DType::f64 || t == DType::i64 ? 8 : t == DType::u8 ? 1 : 4; }

constexpr const char* name_of(DType t) {
  switch (t) {
    case DType::f32: return "float32";
    case DType::f64: return "float64";
    case DType::i32: return "int32";
    case DType::i64: return "int64";
    case DType::u8: return "uint8";
  }
  return "?";
}

constexpr bool is_floating(DType t) { return t == DType::f32 || t == DType::f64; }

template <class T>
inline constexpr DType dtype_of = [] {
  static_assert(sizeof(T) == 0, "not a tensor element type");
  return DType::f32;
}();
template <>
inline constexpr DType dtype_of<float> = DType::f32;
template <>
inline constexpr DType dtype_of<double> = DType::f64;
template <>
inline constexpr DType dtype_of<int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<int64_t> = DType::i64;
template <>
inline constexpr DType dtype_of<uint8_t> = DType::u8;

// What products of float32 matrices round their factors to; sums stay float32. tf32, 10 bits after the point, is a
// GPU's and changes nothing on a CPU.
enum class MatmulPrecision : uint8_t { fp32, tf32, bf16 };

// Calls f with T = float or double: dispatch(x.dtype, [&]<class T> { … }).
template <class F>
decltype(auto) dispatch(DType t, F&& f) {
  if (t == DType::f32) return f.template operator()<float>();
  if (t == DType::f64) return f.template operator()<double>();
  refuse("expected float32 or float64, got {}", name_of(t));
}

}  // namespace seqgrad

// The tensor handle: where the numbers are, what they are, and where their gradient goes. It owns nothing.
#pragma once
#include <algorithm>
#include <span>
#include <type_traits>
#include <vector>

#include "engine/core/backend.h"
#include "engine/core/dtype.h"
#include "engine/core/shape.h"

namespace seqgrad {

// Shared by all copies of a handle whose gradient is wanted; lives in the tape's arena, or in a ParameterStore.
struct GradSlot {
  void* grad = nullptr;   // same shape, dtype and device as the value; null until something writes it
  bool written = false;   // it holds a gradient: what comes is added to it; else its contents are unspecified
  bool saved = false;     // a backward closure will read the value: it must not be overwritten in place
  bool consumed = false;  // the value has been overwritten in place: no op may read it any more
};

// What is known, without looking at them, of the numbers of an i32 tensor: all lie in [low, high].
struct Bounds {
  bool known = false;
  int32_t low = 0, high = 0;
};
inline Bounds bounds_of(std::span<const int32_t> values) {
  if (values.empty()) return {};
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {true, *low, *high};
}

struct Tensor {
  void* data = nullptr;      // of a tensor without elements it may be anything: ask defined() whether there is a tensor
  GradSlot* slot = nullptr;  // null: no gradient flows here
  Shape shape;
  DType dtype = DType::f32;
  Device device = Device::cpu;
  bool exists = false;  // what defined() says; set by whatever makes a tensor
  Bounds bounds;        // of ids and lengths, which a GPU's kernels could not refuse
  uint64_t epoch = 0;   // the tape's epoch that it was made in; 0: outlives steps (parameters, memory of the caller)

  bool defined() const { return exists; }  // false for Tensor{}, which stands for "none"
  bool requires_grad() const { return slot != nullptr; }
  int64_t numel() const { return shape.numel(); }
  size_t bytes() const { return static_cast<size_t>(numel()) * size_of(dtype); }

  template <class T>
  T* as() const {  // throws when T is not the dtype, or there is no tensor
    if (!exists) refuse("expected a {} tensor, got none", name_of(dtype_of<T>));
    if (dtype != dtype_of<T>)
      refuse("expected a {} tensor, got {} {}", name_of(dtype_of<T>), name_of(dtype), shape.str());
    return static_cast<T*>(data);
  }
  template <class T>
  T* as_or_null() const {  // null where there is no tensor
    return exists ? as<T>() : nullptr;
  }
};
static_assert(std::is_trivially_copyable_v<Tensor>);

// A handle on memory that outlives steps; the caller owns it.
template <class T>
Tensor wrap(T* data, Shape shape, Device device = Device::cpu) {
  Tensor t;
  t.exists = true;
  t.data = const_cast<std::remove_const_t<T>*>(data);
  t.shape = shape;
  t.dtype = dtype_of<std::remove_const_t<T>>;
  t.device = device;
  return t;
}

// Copies of the elements on the host, for tests, logs and files.
template <class T>
std::vector<T> to_host(const T* data, int64_t count, Device device) {
  std::vector<T> values(static_cast<size_t>(count));
  if (count > 0) backend(device).download(values.data(), data, values.size() * sizeof(T));
  return values;
}
template <class T>
std::vector<T> to_host(const Tensor& t) {
  return to_host<T>(t.as<T>(), t.numel(), t.device);
}

// The one element of a scalar.
template <class T>
T scalar(const Tensor& t) {
  T value;
  backend(t.device).download(&value, t.as<T>(), sizeof(T));
  return value;
}

}  // namespace seqgrad

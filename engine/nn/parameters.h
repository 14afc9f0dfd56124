// All parameters of a model in flat buffers: one for values, one for gradients, two for the optimiser's moments.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "engine/core/tensor.h"

namespace seqgrad {

// How a parameter begins; the numbers come from a stream of its own, named by the parameter.
struct Init {
  enum class Kind { zeros, uniform, normal } kind = Kind::zeros;
  double scale = 0;       // uniform in ±scale, or the standard deviation
  int64_t zero_row = -1;  // a row that begins at 0 (the padding row of an embedding)
  static Init zeros() { return {}; }
  static Init uniform(double bound) { return {Kind::uniform, bound, -1}; }
  static Init normal(double deviation, int64_t zero_row = -1) { return {Kind::normal, deviation, zero_row}; }
};

struct Parameter {
  std::string name;         // PyTorch's name: "enc.gru.weight_ih_l0"
  Shape shape;              // in memory
  bool transposed = false;  // files hold [out,in] where memory holds [in,out]
  Init init;
  int64_t offset = 0;  // in the flat buffers, in elements
  GradSlot slot;
  Tensor tensor;  // valid after ParameterStore::allocate

  Shape file_shape() const { return transposed ? Shape{shape[1], shape[0]} : shape; }
};

class ParameterStore {
 public:
  ParameterStore(DType dtype, Device device) : dtype_(dtype), device_(device) {}
  ~ParameterStore();
  ParameterStore(const ParameterStore&) = delete;
  ParameterStore& operator=(const ParameterStore&) = delete;

  // The reference stays valid; names are unique.
  Parameter& add(const std::string& name, Shape shape, Init init, bool transposed = false);
  void allocate(uint64_t seed);  // once, after all are added: memory and first values

  std::deque<Parameter>& parameters() { return parameters_; }
  const std::deque<Parameter>& parameters() const { return parameters_; }
  Parameter* find(const std::string& name);
  int64_t count() const;                  // numbers to learn
  int64_t size() const { return size_; }  // elements of a flat buffer, alignment included (which stays 0)
  DType dtype() const { return dtype_; }
  Device device() const { return device_; }

  Tensor values() const { return flat(0); }
  Tensor grads() const { return flat(1); }
  Tensor moment(int i) const { return flat(2 + i); }  // 0 or 1
  void zero_grad();

  // More flat buffers, for gradients that are still to be added up: each takes memory when it is first asked for.
  Tensor partial_sum(int i);

  // Copies to and from files' layout, as float64 or in the store's own dtype by T.
  template <class T>
  std::vector<T> to_file(const Parameter& p, const Tensor& buffer) const;
  template <class T>
  void from_file(const Parameter& p, const Tensor& buffer, const T* data);

  uint64_t digest() const;  // of values and moments, for comparing runs

 private:
  Tensor flat(int i) const;
  Tensor buffer(void* memory) const;

  DType dtype_;
  Device device_;
  std::deque<Parameter> parameters_;
  int64_t size_ = 0;
  void* memory_ = nullptr;  // four buffers, one after the other
  std::vector<void*> partial_sums_;
};

}  // namespace seqgrad

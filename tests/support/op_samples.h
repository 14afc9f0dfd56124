// What an op is tested with on each device and in each dtype: tests/ops/FILE.cpp registers samples of engine/ops/FILE.
#pragma once
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/core/tensor.h"

namespace seqgrad {

// One input of a sample, filled with random numbers by the test: floats from [low, high); ids are integers 0 … count-1.
struct SampleInput {
  enum class Kind { real, ids };
  Shape shape;
  Kind kind = Kind::real;
  double low = -1, high = 1;
  int64_t count = 0;
  bool differentiable = true;  // reals only

  static SampleInput reals(Shape s, double low = -1, double high = 1) { return {s, Kind::real, low, high, 0, true}; }
  static SampleInput constants(Shape s, double low = -1, double high = 1) {
    return {s, Kind::real, low, high, 0, false};
  }
  static SampleInput ids(Shape s, int64_t count) { return {s, Kind::ids, 0, 0, count, false}; }
};

using Values = std::vector<double>;  // a tensor's elements in row-major order, ids too

struct OpSample {
  std::string label;
  std::vector<SampleInput> inputs;
  std::function<Tensor(std::span<const Tensor>)> call;
  // The result from the definition, in plain float64 loops that share no code with the op.
  std::function<Values(const std::vector<Values>&)> expected;
  bool differentiable = true;  // false: backward must throw "<op>: not differentiable"
};

// By the op's name.
inline std::map<std::string, std::vector<OpSample>>& op_samples() {
  static std::map<std::string, std::vector<OpSample>> all;
  return all;
}
inline bool register_samples(const char* op, std::vector<OpSample> samples) {
  return op_samples().emplace(op, std::move(samples)).second;
}

}  // namespace seqgrad

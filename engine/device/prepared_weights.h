// Right factors that many products of few rows share, each laid out for them once.
#pragma once
#include <map>
#include <tuple>
#include <vector>

#include "engine/device/packed_matrix.h"

namespace seqgrad {

class Tape;

// While it lives, no weight changes, and products of the current tape by one (`prepared`) take it in panels
// (panel_gemm.h), as large again, from the first use on. A second one beside it does nothing: the first goes on.
class PreparedWeights {
 public:
  PreparedWeights();
  ~PreparedWeights();
  PreparedWeights(const PreparedWeights&) = delete;
  PreparedWeights& operator=(const PreparedWeights&) = delete;

  const float* panels(Matrix<const float> b);  // of b, a part of a parameter

 private:
  using Key = std::tuple<const float*, int64_t, int64_t, int64_t, int64_t>;
  std::map<Key, std::vector<float>> panels_;
  Tape& tape_;
};

// w, or wᵀ with `transposed`, for products of few rows: in panels where a PreparedWeights lives, the product is in
// float32 on a CPU and w is a parameter; else as it is.
template <class T>
PackedMatrix<T> prepared(const Tensor& w, bool transposed = false);

}  // namespace seqgrad

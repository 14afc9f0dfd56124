// Known by where they lie: parameters stay where they are.
#include "engine/device/prepared_weights.h"

#include <type_traits>

#include "engine/core/tape.h"
#include "engine/device/f32_kernels.h"
#include "engine/device/panel_gemm.h"

namespace seqgrad {

PreparedWeights::PreparedWeights() : tape_(Tape::current()) {
  if (!tape_.prepared_weights()) tape_.set_prepared_weights(this);
}

PreparedWeights::~PreparedWeights() {
  if (tape_.prepared_weights() == this) tape_.set_prepared_weights(nullptr);
}

const float* PreparedWeights::panels(Matrix<const float> b) {
  std::vector<float>& found = panels_[{b.data, b.rows, b.cols, b.ld, b.transposed}];
  if (found.empty()) {
    found.resize(static_cast<size_t>(panel_size(b.rows, b.cols)));
    lay_out_panels(b, found.data());
  }
  return found.data();
}

template <class T>
PackedMatrix<T> prepared(const Tensor& w, bool transposed) {
  const Matrix<const T> matrix = as_matrix<T>(w);
  PackedMatrix<T> out = transposed ? matrix.t() : matrix;
  if constexpr (std::is_same_v<T, float>)
    if (Tape& tape = Tape::current(); tape.prepared_weights() && w.device == Device::cpu && w.epoch == 0 &&
                                      f32_kernels() && tape.matmul_precision() == MatmulPrecision::fp32)
      out.panels = tape.prepared_weights()->panels(out.matrix);
  return out;
}

template PackedMatrix<float> prepared(const Tensor&, bool);
template PackedMatrix<double> prepared(const Tensor&, bool);

}  // namespace seqgrad

// The products of the fused loss, of one tile of live rows at a time.
#pragma once
#include "engine/device/gemm.h"
#include "engine/loss/loss_call.h"
#include "engine/loss/move_rows.h"
#include "engine/ops/matmul.h"

namespace seqgrad {

inline int64_t padded_to(int64_t count) { return (count + tile_block_rows - 1) / tile_block_rows * tile_block_rows; }

template <class T>
class LinearTile {
 public:
  // Tiles of `height` rows of logits of at most `classes` classes. `rows` of hidden states, on the device; -1: none.
  LinearTile(const Prediction& p, const Gradients& gradients, const int64_t* rows, int64_t height, int64_t classes)
      : p_(p),
        g_(gradients),
        rows_(rows),
        width_(p.x.shape[-1]),
        weight_(as_matrix<T>(p.weight)),
        forward_(pack<T>(device(), weight_.t())),
        backward_(gradients.x.defined() ? pack<T>(device(), weight_) : weight_),
        hidden_(scratch(height * width_)),
        dhidden_(classes < weight_.rows ? scratch(gradients.x.defined() ? height * width_ : 0) : hidden_),
        logits_(scratch(height * classes)) {}

  // Takes the rows [first,first+count).
  void gather(int64_t first, int64_t count) {
    first_ = first;
    count_ = count;
    kernels::move_rows<T>(device(), {p_.x.as<T>(), hidden_, rows_ + first, count, width_, false});
    clear_padding(hidden_, width_);
  }
  // Logits of the classes [begin,end), without bias: [count,end-begin], dense.
  T* multiply(int64_t begin, int64_t end) {
    const int64_t n = end - begin, count = padded_to(count_);
    kernels::gemm<T>(device(), {Matrix{hidden_, count, width_}, forward_.block(0, begin, width_, n),
                                Matrix{logits_, count, n}, false});
    return logits_;
  }
  // Takes the gradient of those logits back to the parameters and, after those before, to the hidden states.
  void multiply_back(int64_t begin, int64_t end, T* dz, bool others_before) {
    const int64_t n = end - begin, count = padded_to(count_);
    clear_padding(dz, n);
    const Matrix<const T> live{dz, count_, n};
    if (g_.weight.defined())
      kernels::gemm<T>(device(), {live.t(), Matrix{hidden_, count_, width_},
                                  as_matrix<T>(g_.weight).block(begin, 0, n, width_), true});
    if (g_.bias.defined()) kernels::sum_rows<T>(device(), {live, g_.bias.template as<T>() + begin});
    if (g_.x.defined())
      kernels::gemm<T>(device(), {Matrix{dz, count, n}, backward_.block(begin, 0, n, width_),
                                  Matrix{dhidden_, count, width_}, others_before});
  }
  void scatter() {
    if (g_.x.defined())
      kernels::move_rows<T>(device(), {dhidden_, g_.x.template as<T>(), rows_ + first_, count_, width_, true});
  }

 private:
  Device device() const { return p_.x.device; }
  T* scratch(int64_t n) const { return Tape::current().scratch<T>(n, device()); }
  void clear_padding(T* x, int64_t width) const {
    const int64_t n = (padded_to(count_) - count_) * width;
    if (n > 0) backend(device()).zero(x + count_ * width, static_cast<size_t>(n) * sizeof(T));
  }

  const Prediction& p_;
  const Gradients& g_;
  const int64_t* rows_;
  int64_t width_;
  Matrix<const T> weight_;              // [V,D]
  PackedMatrix<T> forward_, backward_;  // its transpose, for the logits; itself, for the way back
  T *hidden_, *dhidden_, *logits_;      // the gradient of a tile of all classes takes the place of its hidden states
  int64_t first_ = 0, count_ = 0;
};

}  // namespace seqgrad

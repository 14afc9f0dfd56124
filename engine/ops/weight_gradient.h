// The gradients of the weight and the bias of a product.
#pragma once
#include <vector>

#include "engine/core/tape.h"
#include "engine/device/gemm.h"

namespace seqgrad {

// What the rows that a layer multiplies are: whole sequences, or one time step, after which others multiply by the same
// weight.
enum class Span { sequence, time_step };

// grad(w), from row `first` on, += xᵀ·dy, if w wants one; it is there when backward ends, or at once for a sequence.
// Rows where dy is zero, padding, change no bit of it.
template <class T>
void add_weight_gradient(const Tensor& w /*[.,N]*/, Matrix<const T> x /*[rows,M]*/, Matrix<const T> dy /*[rows,N]*/,
                         Span span = Span::sequence, int64_t first = 0);

// grad(b) += the sum of the rows of dy, if b wants one.
template <class T>
void add_bias_gradient(const Tensor& b /*[N]*/, Matrix<const T> dy /*[rows,N]*/);

// dw += xᵀ·dy on a CPU, of rows that come in any portions. A product over the 64 rows of one time step reads and writes
// all of dw for little arithmetic; over 512 it does not matter. So rows are collected, and how they are grouped into
// products depends on nothing but those that are not left out.
template <class T>
class WeightGradient {
 public:
  static constexpr int64_t product_rows = 512;

  // Its memory is the current tape's; `most_rows`: how many will come at the most, if that is known.
  explicit WeightGradient(Matrix<T> dw /*[M,N]*/, int64_t most_rows = product_rows);

  // Leaves out rows where dy is zero.
  void add(Matrix<const T> x /*[rows,M]*/, Matrix<const T> dy /*[rows,N]*/);
  void flush();  // multiplies what has been collected

 private:
  Matrix<T> dw_, x_, dy_;
  int64_t rows_ = 0;  // collected
};

// What backward keeps from one time step to the next of a weight that all of them multiply by.
template <class T>
class TimeSteps : public BackwardState {
 public:
  static TimeSteps& current() { return Tape::current().backward_state<TimeSteps>(); }

  PackedMatrix<T> transposed(const Tensor& w);  // wᵀ, for products of a step's rows
  WeightGradient<T>& gradient(Matrix<T> dw);    // complete when backward ends
  void end_backward() override;

 private:
  struct Transposed {
    const void* w;
    PackedMatrix<T> packed;
  };
  struct Gradient {
    const void* dw;
    WeightGradient<T> sum;
    const char* phase;
  };
  std::vector<Transposed> transposed_;
  std::vector<Gradient> gradients_;
};

}  // namespace seqgrad

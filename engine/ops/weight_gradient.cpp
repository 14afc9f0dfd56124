// Rows that are not left out are copied side by side, and multiplied when there are enough of them.
#include "engine/ops/weight_gradient.h"

#include <algorithm>

#include "engine/core/phases.h"
#include "engine/core/thread_pool.h"
#include "engine/ops/matmul.h"

namespace seqgrad {
namespace {

template <class T>
bool is_live(Matrix<const T> dy, int64_t row) {
  return std::any_of(dy.at(row, 0), dy.at(row, 0) + dy.cols, [](T d) { return d != 0; });
}

// dw += xᵀ·dy, no row of which is left out: in the products that WeightGradient would make of them.
template <class T>
void add_product(Matrix<T> dw, Matrix<const T> x, Matrix<const T> dy) {
  constexpr int64_t most = WeightGradient<T>::product_rows;
  for (int64_t r = 0; r < dy.rows; r += most) {
    const int64_t rows = std::min(most, dy.rows - r);
    kernels::gemm<T>(Device::cpu, {x.block(r, 0, rows, x.cols).t(), dy.block(r, 0, rows, dy.cols), dw, true});
  }
}

}  // namespace

template <class T>
WeightGradient<T>::WeightGradient(Matrix<T> dw, int64_t most_rows) : dw_(dw) {
  const auto memory = [rows = std::min(most_rows, product_rows)](int64_t width) {
    return Matrix{Tape::current().scratch<T>(rows * width, Device::cpu), rows, width};
  };
  x_ = memory(dw.rows);
  dy_ = memory(dw.cols);
}

template <class T>
void WeightGradient<T>::add(Matrix<const T> x, Matrix<const T> dy) {
  for (int64_t r = 0; r < dy.rows;) {
    int64_t live[product_rows], count = 0;
    for (; r < dy.rows && rows_ + count < product_rows; ++r)
      if (is_live(dy, r)) live[count++] = r;
    parallel_ranges(count, 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        std::copy_n(x.at(live[i], 0), x.cols, x_.at(rows_ + i, 0));
        std::copy_n(dy.at(live[i], 0), dy.cols, dy_.at(rows_ + i, 0));
      }
    });
    rows_ += count;
    if (rows_ == product_rows) flush();
  }
}

template <class T>
void WeightGradient<T>::flush() {
  add_product<T>(dw_, x_.block(0, 0, rows_, dw_.rows), dy_.block(0, 0, rows_, dw_.cols));
  rows_ = 0;
}

template <class T>
PackedMatrix<T> TimeSteps<T>::transposed(const Tensor& w) {
  for (const Transposed& t : transposed_)
    if (t.w == w.data) return t.packed;
  return transposed_.emplace_back(Transposed{w.data, pack_for_few_rows<T>(w.device, as_matrix<T>(w).t())}).packed;
}

template <class T>
WeightGradient<T>& TimeSteps<T>::gradient(Matrix<T> dw) {
  for (Gradient& g : gradients_)
    if (g.dw == dw.data) return g.sum;
  return gradients_.emplace_back(Gradient{dw.data, WeightGradient<T>(dw), Tape::current().phases().name()}).sum;
}

template <class T>
void TimeSteps<T>::end_backward() {
  for (Gradient& g : gradients_) {
    const Phase phase(g.phase, true);
    g.sum.flush();
  }
}

template <class T>
void add_weight_gradient(const Tensor& w, Matrix<const T> x, Matrix<const T> dy, Span span, int64_t first) {
  if (!w.requires_grad()) return;
  const Matrix<T> dw = as_matrix<T>(grad(w)).block(first, 0, x.cols, dy.cols);
  if (w.device != Device::cpu) return kernels::gemm<T>(w.device, {x.t(), dy, dw, true});
  // What the tape made must have its gradient before backward comes to it; parameters are not of the tape.
  if (span == Span::time_step && w.epoch == 0) return TimeSteps<T>::current().gradient(dw).add(x, dy);
  int64_t live = 0;
  while (live < dy.rows && is_live(dy, live)) ++live;
  if (live == dy.rows) return add_product<T>(dw, x, dy);
  const ArenaMark while_it_sums(Device::cpu);
  WeightGradient<T> sum(dw, dy.rows);
  sum.add(x, dy);
  sum.flush();
}

template <class T>
void add_bias_gradient(const Tensor& b, Matrix<const T> dy) {
  if (b.requires_grad()) kernels::sum_rows<T>(b.device, {dy, grad(b).as<T>()});
}

template class TimeSteps<float>;
template class TimeSteps<double>;
template void add_weight_gradient(const Tensor&, Matrix<const float>, Matrix<const float>, Span, int64_t);
template void add_weight_gradient(const Tensor&, Matrix<const double>, Matrix<const double>, Span, int64_t);
template void add_bias_gradient(const Tensor&, Matrix<const float>);
template void add_bias_gradient(const Tensor&, Matrix<const double>);

}  // namespace seqgrad

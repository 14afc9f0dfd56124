// Packing on all threads, into the tape's memory.
#include "engine/device/packed_matrix.h"

#include <algorithm>
#include <type_traits>

#include "engine/core/tape.h"
#include "engine/core/thread_pool.h"
#include "engine/device/bf16_gemm.h"
#include "engine/device/f32_kernels.h"
#include "engine/device/panel_gemm.h"

namespace seqgrad {
namespace {

template <class T>
Matrix<const T> row_major(Matrix<const T> b) {
  const Matrix<T> out{Tape::current().scratch<T>(b.rows * b.cols, Device::cpu), b.rows, b.cols};
  parallel_ranges(b.rows, 64, [=](int64_t begin, int64_t end) {
    for (int64_t j0 = 0; j0 < b.cols; j0 += 16)  // a tile of both fits in the first cache
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = j0; j < std::min(j0 + 16, b.cols); ++j) *out.at(i, j) = *b.at(i, j);
  });
  return out;
}

}  // namespace

template <class T>
PackedMatrix<T> pack(Device device, Matrix<const T> b) {
  PackedMatrix<T> packed = b;
  if constexpr (std::is_same_v<T, float>)
    if (device == Device::cpu && Tape::current().matmul_precision() == MatmulPrecision::bf16) {
      uint32_t* words = Tape::current().scratch<uint32_t>(bf16_packed_words(b.rows, b.cols), Device::cpu);
      bf16_pack(b, words);
      packed.bf16 = words;
    }
  return packed;
}

template <class T>
PackedMatrix<T> pack_for_few_rows(Device device, Matrix<const T> b) {
  PackedMatrix<T> packed = pack(device, b);
  if (device != Device::cpu || packed.bf16) return packed;
  if constexpr (std::is_same_v<T, float>)
    if (f32_kernels()) {
      auto* panels = Tape::current().scratch<float>(panel_size(b.rows, b.cols), Device::cpu);
      lay_out_panels(b, panels);
      packed.panels = panels;
      return packed;
    }
  return b.transposed ? row_major(b) : packed;
}

template PackedMatrix<float> pack(Device, Matrix<const float>);
template PackedMatrix<double> pack(Device, Matrix<const double>);
template PackedMatrix<float> pack_for_few_rows(Device, Matrix<const float>);
template PackedMatrix<double> pack_for_few_rows(Device, Matrix<const double>);

}  // namespace seqgrad

// GEMM on the CPU: fixed blocks of C, one single-threaded call each, so that results do not depend on the thread count.
#include "engine/device/cpu_gemm.h"

#include <omp.h>

#include <algorithm>
#include <type_traits>

#include "engine/core/isa.h"
#include "engine/core/thread_pool.h"
#include "engine/device/bf16_gemm.h"
#include "engine/device/bf16_kernels.h"
#include "engine/device/f32_kernels.h"
#include "engine/device/gemm.h"
#include "engine/device/onednn.h"
#include "engine/device/onednn_start.h"
#include "engine/device/panel_gemm.h"

namespace seqgrad {
namespace {

// Each call packs all of the operand that is not cut, so a wide C is cut into columns and others into rows, and both
// ways only where a few threads would have less than a block each. Heights from 32 on do not change the bits of a row
// of a wide C: the last tile of the fused loss may be lower than the others.
constexpr int64_t block_rows = 128, block_columns = 512, min_block_columns = 96;
constexpr int64_t min_wide_columns = 4 * block_columns;  // of a C of up to 512 rows that is cut into columns
constexpr int64_t min_blocks = 4;
constexpr int64_t min_shared_multiplications = 2000000;  // some 15 us
constexpr int64_t min_panel_size = 256;                  // of a transposed A's C, that earns the layout of B back
constexpr int64_t min_packing_rows = 32;                 // of the C of a transposed B, that earn its layout back
constexpr int64_t max_packing_depth = 2048;              // K, of a B that is laid out whole
constexpr int64_t min_wide_depth = 384;                  // K of a wide C, from which on its panels earn it back
constexpr int64_t min_bf16_rows = 128;                   // of C, that earn the packing of B into bfloat16 back

struct Cut {
  int64_t rows, columns;
};

int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

// A function of the shape alone.
Cut cut_of(int64_t m, int64_t n, int64_t k) {
  if (n >= min_wide_columns && n >= 4 * m) return {m, block_columns};
  if (m * n * k < min_shared_multiplications) return {m, n};
  const int64_t rows = std::min(block_rows, std::max<int64_t>(64, round_up((m + min_blocks - 1) / min_blocks, 32)));
  const int64_t high = (m + rows - 1) / rows, parts = (min_blocks + high - 1) / high;
  return {rows, std::max(std::min(n, min_block_columns), round_up((n + parts - 1) / parts, 16))};
}

// oneDNN takes this before its first product or not at all.
bool lower_onednn_isa() {
  switch (isa()) {
    case Isa::base: return dnnl_set_max_cpu_isa(dnnl_cpu_isa_sse41) == dnnl_success;
    case Isa::avx2: return dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2) == dnnl_success;
    case Isa::avx512: return dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core) == dnnl_success;
    case Isa::avx512_bf16: break;
  }
  return true;
}

// oneDNN's own threads would split a product in ways that change bits. The setting is per thread, so each sets it once,
// before anything is made of oneDNN.
void use_one_onednn_thread() {
  static const bool lowered = lower_onednn_isa();
  (void)lowered;
  thread_local const bool done = [] {
    omp_set_num_threads(1);
    start_onednn();
    return true;
  }();
  (void)done;
}

// Whether some dimension is 0; C is then complete. oneDNN leaves C unwritten for K = 0 and raises SIGFPE for other zero
// dimensions.
template <class T>
bool nothing_to_multiply(Matrix<const T> a, Matrix<T> c, bool accumulate) {
  if (c.rows == 0 || c.cols == 0) return true;
  if (a.cols != 0) return false;
  for (int64_t i = 0; i < c.rows && !accumulate; ++i) std::fill_n(c.at(i, 0), c.cols, T{0});
  return true;
}

// One block of C, on this thread: by oneDNN, or in float64 by plain loops.
void gemm_in_block(Matrix<const float> a, Matrix<const float> b, Matrix<float> c, bool accumulate) {
  use_one_onednn_thread();
  const auto status = dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', c.rows, c.cols, a.cols, 1.0f,
                                 a.data, a.ld, b.data, b.ld, accumulate, c.data, c.ld);
  if (status != dnnl_success)
    system_failure("oneDNN: sgemm {}x{}x{} failed with status {}", c.rows, c.cols, a.cols, static_cast<int>(status));
}

void gemm_in_block(Matrix<const double> a, Matrix<const double> b, Matrix<double> c, bool accumulate) {
  constexpr int64_t depth = 256;  // rows of B that stay in cache while all rows of C pass
  for (int64_t k0 = 0; k0 < a.cols; k0 += depth) {
    const int64_t k1 = std::min(a.cols, k0 + depth);
    for (int64_t i = 0; i < c.rows; ++i) {
      double* to = c.at(i, 0);
      if (k0 == 0 && !accumulate) std::fill_n(to, c.cols, 0.0);
      if (b.transposed) {
        for (int64_t j = 0; j < c.cols; ++j) {
          double sum = 0;
          for (int64_t k = k0; k < k1; ++k) sum += *a.at(i, k) * *b.at(k, j);
          to[j] += sum;
        }
      } else {
        for (int64_t k = k0; k < k1; ++k) {
          const double x = *a.at(i, k);
          const double* row = b.at(k, 0);
          for (int64_t j = 0; j < c.cols; ++j) to[j] += x * row[j];
        }
      }
    }
  }
}

template <class T>
void fill_rows(Matrix<T> c, const T* row) {
  parallel_ranges(c.rows, std::max<int64_t>(1, 8192 / std::max<int64_t>(1, c.cols)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(row, c.cols, c.at(i, 0));
  });
}

// Whether panels are faster than oneDNN, which lays out both factors in each block, is slow to transpose, and adds to
// rows of bias that are written before. A function of what does not change a row of C where there are more or fewer of
// them, but for gradients of weights.
bool by_panels(const Gemm<float>& g) {
  if (!f32_kernels() || g.a.cols == 0) return false;
  if (g.a.transposed) return std::min(g.c.rows, g.c.cols) >= min_panel_size;
  return (g.b.matrix.transposed || g.bias) && g.c.rows >= min_packing_rows &&
         (g.c.cols < min_wide_columns ? g.a.cols <= max_packing_depth : g.a.cols >= min_wide_depth);
}

template <class T>
void gemm_on_cpu(const Gemm<T>& g) {
  if (g.batch.count != 1) {
    for (int64_t i = 0; i < g.batch.count; ++i) gemm_on_cpu(g.at(i));
    return;
  }
  const Matrix<const T>& a = g.a;
  const Matrix<T>& c = g.c;
  const bool accumulate = g.accumulate || g.bias;
  const bool in_bf16 = g.b.bf16 || (g.precision == MatmulPrecision::bf16 && c.rows >= min_bf16_rows);
  if constexpr (std::is_same_v<T, float>) {
    const float* const start = g.bias ? g.bias : g.accumulate ? c.data : nullptr;
    const int64_t start_ld = g.bias ? 0 : c.ld;
    if (g.b.panels) return panel_gemm(a, g.b, c, start, start_ld);
    if (!in_bf16 && by_panels(g)) return packing_gemm(a, g.b.matrix, c, start, start_ld);
  }
  if (g.bias) fill_rows(c, g.bias);
  if (nothing_to_multiply(a, c, accumulate)) return;
  if constexpr (std::is_same_v<T, float>)
    if (in_bf16) return bf16_gemm(a, g.b, c, accumulate);
  const Cut cut = cut_of(c.rows, c.cols, a.cols);
  const int64_t across = (c.cols + cut.columns - 1) / cut.columns, down = (c.rows + cut.rows - 1) / cut.rows;
  parallel_blocks(across * down, [&](int64_t i) {
    const int64_t row = i / across * cut.rows, column = i % across * cut.columns,
                  rows = std::min(cut.rows, c.rows - row), columns = std::min(cut.columns, c.cols - column);
    gemm_in_block(a.block(row, 0, rows, a.cols), g.b.matrix.block(0, column, a.cols, columns),
                  c.block(row, column, rows, columns), accumulate);
  });
}

const bool installed = install<Device::cpu>(kernels::gemm<float>, gemm_on_cpu<float>) &&
                       install<Device::cpu>(kernels::gemm<double>, gemm_on_cpu<double>);

}  // namespace

void set_matmul_precision(MatmulPrecision precision, Device device) {
  if (precision == MatmulPrecision::bf16 && device == Device::cpu) (void)needed_bf16_kernels();
  Tape::current().set_matmul_precision(precision);
}

void cpu_gemm(Matrix<const float> a, const PackedMatrix<float>& b, Matrix<float> c, bool accumulate) {
  if (nothing_to_multiply(a, c, accumulate)) return;
  if (b.bf16) return bf16_gemm_here(a, b, c, accumulate);
  const float* const start = accumulate ? c.data : nullptr;
  if (b.panels) return panel_gemm(a, b, c, start, c.ld);
  if (f32_kernels()) return packing_gemm(a, b.matrix, c, start, c.ld);
  gemm_in_block(a, b.matrix, c, accumulate);
}

void cpu_gemm(Matrix<const double> a, const PackedMatrix<double>& b, Matrix<double> c, bool accumulate) {
  if (!nothing_to_multiply(a, c, accumulate)) gemm_in_block(a, b.matrix, c, accumulate);
}

}  // namespace seqgrad

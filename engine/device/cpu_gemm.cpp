// GEMM on the CPU: fixed blocks of C, one single-threaded call each, so that results do not depend on the thread count.
#include "engine/device/cpu_gemm.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <type_traits>
#include <vector>

#include "engine/core/isa.h"
#include "engine/core/thread_pool.h"
#include "engine/device/bf16_gemm.h"
#include "engine/device/bf16_kernels.h"
#include "engine/device/onednn.h"
#include "engine/device/onednn_start.h"

namespace seqgrad {
namespace {

// Each call packs all of the operand that is not cut, so a wide C is cut into columns and others into rows, and both
// ways only where a few threads would have less than a block each. Heights from 32 on do not change the bits of a row
// of a wide C: the last tile of the fused loss may be lower than the others.
constexpr int64_t block_rows = 128, block_columns = 512, least_columns = 96;
constexpr int64_t wide = 4 * block_columns;  // columns from which on a C of up to 512 rows is cut into columns
constexpr int64_t enough = 4;                // blocks
constexpr int64_t worth_sharing = 2000000;   // multiplications, some 15 us

std::atomic<MatmulPrecision> precision = MatmulPrecision::fp32;

constexpr int64_t worth_packing = 128;  // rows of C that earn the packing of B into bfloat16 back

struct Cut {
  int64_t rows, columns;
};

int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

// A function of the shape alone.
Cut cut_of(int64_t m, int64_t n, int64_t k) {
  if (n >= wide && n >= 4 * m) return {m, block_columns};
  if (m * n * k < worth_sharing) return {m, n};
  const int64_t rows = std::min(block_rows, std::max<int64_t>(64, round_up((m + enough - 1) / enough, 32)));
  const int64_t high = (m + rows - 1) / rows, parts = (enough + high - 1) / high;
  return {rows, std::max(std::min(n, least_columns), round_up((n + parts - 1) / parts, 16))};
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

// oneDNN leaves C unwritten for K = 0 and raises SIGFPE for other zero dimensions.
template <class T>
bool trivial(const Gemm<T>& g) {
  if (g.m == 0 || g.n == 0) return true;
  if (g.k != 0) return false;
  if (g.beta == 0)
    for (int64_t i = 0; i < g.m; ++i) std::fill_n(g.c + i * g.ldc, g.n, T{0});
  return true;
}

// A weight's gradient adds AᵀB over positions. Where a row of B is zero (padding) nothing is to be added: such rows are
// left out, so that padding costs no multiplication and, as it cannot change how the sum is grouped, no bit.
template <class T>
void leave_out_zero_rows(Gemm<T>& g) {
  thread_local std::vector<int64_t> rows;
  thread_local std::vector<T> memory;
  rows.clear();
  for (int64_t k = 0; k < g.k; ++k) {
    const T* row = g.b + k * g.ldb;
    if (std::any_of(row, row + g.n, [](T x) { return x != 0; })) rows.push_back(k);
  }
  const auto kept = static_cast<int64_t>(rows.size());
  if (kept == g.k) return;
  memory.resize(static_cast<size_t>(kept * (g.m + g.n)));
  T *a = memory.data(), *b = a + kept * g.m;
  parallel_ranges(kept, 64, [&, rows = rows.data()](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::copy_n(g.a + rows[i] * g.lda, g.m, a + i * g.m);
      std::copy_n(g.b + rows[i] * g.ldb, g.n, b + i * g.n);
    }
  });
  g.a = a, g.lda = g.m, g.b = b, g.ldb = g.n, g.k = kept;
}

template <class T>
void blocked_gemm(const Gemm<T>& given) {
  Gemm<T> g = given;
  if (g.transpose_a && !g.transpose_b && g.beta == 1) leave_out_zero_rows(g);
  if (trivial(g)) return;
  if constexpr (std::is_same_v<T, float>)
    if (precision == MatmulPrecision::bf16 && (g.m >= worth_packing || g.b_name != 0)) return bf16_gemm(g);
  const Cut cut = cut_of(g.m, g.n, g.k);
  const int64_t across = (g.n + cut.columns - 1) / cut.columns, down = (g.m + cut.rows - 1) / cut.rows;
  parallel_blocks(across * down, [&](int64_t i) {
    const int64_t row = i / across * cut.rows, column = i % across * cut.columns;
    Gemm<T> part = g;
    part.m = std::min(cut.rows, g.m - row);
    part.n = std::min(cut.columns, g.n - column);
    part.a += g.transpose_a ? row : row * g.lda;
    part.b += g.transpose_b ? column * g.ldb : column;
    part.c += row * g.ldc + column;
    cpu_gemm(part);
  });
}

template <class T>
void one_by_one(const BatchedGemm<T>& g) {
  for (int64_t i = 0; i < g.count; ++i) blocked_gemm(g.at(i));
}

template <class T>
bool add() {
  return install<Device::cpu>(kernels::gemm<T>, blocked_gemm<T>) &&
         install<Device::cpu>(kernels::batched_gemm<T>, one_by_one<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace

void set_matmul_precision(MatmulPrecision to, Device device) {
  if (to == MatmulPrecision::bf16 && device == Device::cpu) (void)needed_bf16_kernels();
  precision = to;
}
MatmulPrecision matmul_precision() { return precision; }

uint64_t new_operand_name() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

void cpu_gemm(const Gemm<float>& g) {
  if (trivial(g)) return;
  use_one_onednn_thread();
  const auto status = dnnl_sgemm(g.transpose_a ? 'T' : 'N', g.transpose_b ? 'T' : 'N', g.m, g.n, g.k, 1.0f, g.a, g.lda,
                                 g.b, g.ldb, g.beta, g.c, g.ldc);
  if (status != dnnl_success)
    system_failure("oneDNN: sgemm {}x{}x{} failed with status {}", g.m, g.n, g.k, static_cast<int>(status));
}

void cpu_gemm(const Gemm<double>& g) {
  if (trivial(g)) return;
  constexpr int64_t depth = 256;  // rows of op(B) that stay in cache while all rows of C pass
  for (int64_t k0 = 0; k0 < g.k; k0 += depth) {
    const int64_t k1 = std::min(g.k, k0 + depth);
    for (int64_t i = 0; i < g.m; ++i) {
      double* c = g.c + i * g.ldc;
      if (k0 == 0 && g.beta == 0) std::fill_n(c, g.n, 0.0);
      if (g.transpose_b) {
        for (int64_t j = 0; j < g.n; ++j) {
          const double* b = g.b + j * g.ldb;
          double sum = 0;
          for (int64_t k = k0; k < k1; ++k) sum += (g.transpose_a ? g.a[k * g.lda + i] : g.a[i * g.lda + k]) * b[k];
          c[j] += sum;
        }
      } else {
        for (int64_t k = k0; k < k1; ++k) {
          const double a = g.transpose_a ? g.a[k * g.lda + i] : g.a[i * g.lda + k];
          const double* b = g.b + k * g.ldb;
          for (int64_t j = 0; j < g.n; ++j) c[j] += a * b[j];
        }
      }
    }
  }
}

}  // namespace seqgrad

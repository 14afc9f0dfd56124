// The emulated cuBLAS, on the CPU's GEMM.
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/device/cpu_gemm.h"
#include "tests/emulate/gpu_emulator.h"

static bool rows_matter = false;

namespace emulate {

int taken_failure(const char* function);
void set_gemm_bits_depend_on_rows(bool depend) { rows_matter = depend; }

}  // namespace emulate

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  *handle = nullptr;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream(cublasHandle_t, cudaStream_t) { return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetWorkspace(cublasHandle_t, void*, size_t) { return CUBLAS_STATUS_SUCCESS; }

namespace {

float rounded(float x, cublasComputeType_t type) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if (type == CUBLAS_COMPUTE_32F_FAST_TF32) bits = (bits + 0x1000) & ~uint32_t{0x1FFF};
  if (type == CUBLAS_COMPUTE_32F_FAST_16BF) bits = (bits + 0x7FFF + (bits >> 16 & 1)) & ~uint32_t{0xFFFF};
  std::memcpy(&x, &bits, 4);
  return x;
}

// A copy of `columns` columns of `rows` numbers as tensor cores take them: 10 or 7 bits after the point.
std::vector<float> rounded(const float* x, int rows, int columns, int ld, cublasComputeType_t type) {
  std::vector<float> out(static_cast<size_t>(ld) * static_cast<size_t>(columns));
  for (int c = 0; c < columns; ++c)
    for (int r = 0; r < rows; ++r) {
      const auto at = static_cast<size_t>(c) * static_cast<size_t>(ld) + static_cast<size_t>(r);
      out[at] = rounded(x[at], type);
    }
  return out;
}

// A column-major matrix is the row-major one of its transpose: Cᵀ = op(B)ᵀ·op(A)ᵀ, where op(X)ᵀ in row-major memory is
// X itself when op transposes nothing. cpu_gemm: whatever the precision of the CPU's own products is.
template <class T>
void multiply(cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, const T* a, int lda, const T* b, int ldb,
              T beta, T* c, int ldc) {
  const emulate::DeviceAccess access;
  const auto operand = [](const T* x, int rows, int cols, int ld, cublasOperation_t op) {
    return op == CUBLAS_OP_T ? seqgrad::Matrix{x, cols, rows, ld}.t() : seqgrad::Matrix{x, rows, cols, ld};
  };
  const auto left = operand(b, n, k, ldb, tb), right = operand(a, k, m, lda, ta);
  const int64_t first = rows_matter ? k * (n / 32 % 7 + 1) / 8 : k;  // terms that are summed before the others
  for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, first}, {first, k}}) {
    if (begin == end && k > 0) continue;
    seqgrad::cpu_gemm(left.block(0, begin, n, end - begin), right.block(begin, 0, end - begin, m),
                      seqgrad::Matrix{c, n, m, ldc}, begin > 0 || beta == 1);
    if (k == 0) return;
  }
}

void multiply_rounded(cublasComputeType_t type, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                      const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc) {
  if (type == CUBLAS_COMPUTE_32F) return multiply(ta, tb, m, n, k, a, lda, b, ldb, beta, c, ldc);
  std::vector<float> short_a, short_b;
  {
    const emulate::DeviceAccess access;
    short_a = rounded(a, ta == CUBLAS_OP_N ? m : k, ta == CUBLAS_OP_N ? k : m, lda, type);
    short_b = rounded(b, tb == CUBLAS_OP_N ? k : n, tb == CUBLAS_OP_N ? n : k, ldb, type);
  }
  multiply(ta, tb, m, n, k, short_a.data(), lda, short_b.data(), ldb, beta, c, ldc);
}

// Now, or when the graph that is being captured is launched.
cublasStatus_t make(const char* function, double alpha, const std::function<void()>& product) {
  if (const int status = emulate::taken_failure(function); status != 0) return static_cast<cublasStatus_t>(status);
  if (alpha != 1) throw std::logic_error("emulated gemm: alpha is 1");
  if (!emulate::kept_for_graph(product)) product();
  return CUBLAS_STATUS_SUCCESS;
}

void check_strides(long long a, long long b, long long c) {
  if (a < 0 || b < 0 || c <= 0) throw std::logic_error("emulated batched gemm: a stride that cuBLAS need not take");
}

}  // namespace

cublasStatus_t cublasGemmEx(cublasHandle_t, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                            const void* alpha, const void* a, cudaDataType, int lda, const void* b, cudaDataType,
                            int ldb, const void* beta, void* c, cudaDataType, int ldc, cublasComputeType_t type,
                            cublasGemmAlgo_t) {
  return make(__func__, static_cast<double>(*static_cast<const float*>(alpha)),
              [=, scale = *static_cast<const float*>(beta)] {
                multiply_rounded(type, ta, tb, m, n, k, static_cast<const float*>(a), lda, static_cast<const float*>(b),
                                 ldb, scale, static_cast<float*>(c), ldc);
              });
}
cublasStatus_t cublasDgemm(cublasHandle_t, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                           const double* alpha, const double* a, int lda, const double* b, int ldb, const double* beta,
                           double* c, int ldc) {
  return make(__func__, *alpha, [=, scale = *beta] { multiply(ta, tb, m, n, k, a, lda, b, ldb, scale, c, ldc); });
}
cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t, cublasOperation_t ta, cublasOperation_t tb, int m, int n,
                                          int k, const void* alpha, const void* a, cudaDataType, int lda,
                                          long long stride_a, const void* b, cudaDataType, int ldb, long long stride_b,
                                          const void* beta, void* c, cudaDataType, int ldc, long long stride_c,
                                          int count, cublasComputeType_t type, cublasGemmAlgo_t) {
  check_strides(stride_a, stride_b, stride_c);
  return make(__func__, static_cast<double>(*static_cast<const float*>(alpha)),
              [=, scale = *static_cast<const float*>(beta)] {
                for (int i = 0; i < count; ++i)
                  multiply_rounded(type, ta, tb, m, n, k, static_cast<const float*>(a) + i * stride_a, lda,
                                   static_cast<const float*>(b) + i * stride_b, ldb, scale,
                                   static_cast<float*>(c) + i * stride_c, ldc);
              });
}
cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t, cublasOperation_t ta, cublasOperation_t tb, int m, int n,
                                         int k, const double* alpha, const double* a, int lda, long long stride_a,
                                         const double* b, int ldb, long long stride_b, const double* beta, double* c,
                                         int ldc, long long stride_c, int count) {
  check_strides(stride_a, stride_b, stride_c);
  return make(__func__, *alpha, [=, scale = *beta] {
    for (int i = 0; i < count; ++i)
      multiply(ta, tb, m, n, k, a + i * stride_a, lda, b + i * stride_b, ldb, scale, c + i * stride_c, ldc);
  });
}

void* seqgrad::gpu::cublas_function(const char* name) {
  static const std::map<std::string, void*> functions = {
      {"cublasCreate_v2", reinterpret_cast<void*>(cublasCreate)},
      {"cublasSetStream_v2", reinterpret_cast<void*>(cublasSetStream)},
      {"cublasSetWorkspace_v2", reinterpret_cast<void*>(cublasSetWorkspace)},
      {"cublasGemmEx", reinterpret_cast<void*>(cublasGemmEx)},
      {"cublasDgemm_v2", reinterpret_cast<void*>(cublasDgemm)},
      {"cublasGemmStridedBatchedEx", reinterpret_cast<void*>(cublasGemmStridedBatchedEx)},
      {"cublasDgemmStridedBatched", reinterpret_cast<void*>(cublasDgemmStridedBatched)}};
  return functions.at(name);
}

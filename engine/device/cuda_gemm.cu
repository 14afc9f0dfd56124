// GEMM through cuBLAS. It is column-major: a row-major C is its transpose to it, so the operands change places.
#include <string>
#include <type_traits>

#include "engine/device/gemm.h"
#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

constexpr size_t workspace_bytes = size_t{32} << 20;

void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    system_failure("cuBLAS: {} failed with status {}", what, static_cast<int>(status));
}

// Factors are rounded by tensor cores as they read them; what they multiply is summed in float32.
cublasComputeType_t compute_type(MatmulPrecision precision) {
  switch (precision) {
    case MatmulPrecision::tf32: return CUBLAS_COMPUTE_32F_FAST_TF32;
    case MatmulPrecision::bf16: return CUBLAS_COMPUTE_32F_FAST_16BF;
    case MatmulPrecision::fp32: break;
  }
  return CUBLAS_COMPUTE_32F;
}

// An own workspace, so that nothing is allocated later and the same call always takes the same algorithm.
struct Cublas {
  // Both are overloaded.
  using GemmEx = cublasStatus_t (*)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const void*,
                                    const void*, cudaDataType, int, const void*, cudaDataType, int, const void*, void*,
                                    cudaDataType, int, cublasComputeType_t, cublasGemmAlgo_t);
  using BatchedEx = cublasStatus_t (*)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const void*,
                                       const void*, cudaDataType, int, long long, const void*, cudaDataType, int,
                                       long long, const void*, void*, cudaDataType, int, long long, int,
                                       cublasComputeType_t, cublasGemmAlgo_t);
  GemmEx gemm_ex;
  BatchedEx batched_ex;
  decltype(&cublasDgemm) dgemm;
  decltype(&cublasDgemmStridedBatched) batched_dgemm;
  cublasHandle_t handle = nullptr;

  Cublas() {
    const auto find = [](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(gpu::cublas_function(name));
    };
    find(gemm_ex, "cublasGemmEx");
    find(batched_ex, "cublasGemmStridedBatchedEx");
    find(dgemm, "cublasDgemm_v2");
    find(batched_dgemm, "cublasDgemmStridedBatched");
    decltype(&cublasCreate) create;
    decltype(&cublasSetStream) set_stream;
    decltype(&cublasSetWorkspace) set_workspace;
    find(create, "cublasCreate_v2");
    find(set_stream, "cublasSetStream_v2");
    find(set_workspace, "cublasSetWorkspace_v2");
    check(create(&handle), "cublasCreate");
    check(set_stream(handle, gpu::stream()), "cublasSetStream");
    check(set_workspace(handle, backend(Device::cuda).allocate(workspace_bytes), workspace_bytes),
          "cublasSetWorkspace");
  }
};

const Cublas& cublas() {
  static const Cublas& library = *new Cublas;  // never destroyed, like the device
  return library;
}

int size(int64_t n) {
  if (n > INT32_MAX) refuse("gemm: a dimension of {} is too large for cuBLAS", n);
  return static_cast<int>(n);
}

cublasOperation_t operation(bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; }

template <class T>
cublasStatus_t multiply(const Gemm<T>& g) {
  const Cublas& library = cublas();
  const T one = 1, beta = g.accumulate ? 1 : 0;
  const Matrix<const T>& b = g.b.matrix;
  const cublasOperation_t left = operation(b.transposed), right = operation(g.a.transposed);
  const int m = size(g.c.rows), n = size(g.c.cols), k = size(g.a.cols), lda = size(g.a.ld), ldb = size(b.ld),
            ldc = size(g.c.ld), count = size(g.batch.count);
  if constexpr (std::is_same_v<T, double>) {
    if (count == 1)
      return library.dgemm(library.handle, left, right, n, m, k, &one, b.data, ldb, g.a.data, lda, &beta, g.c.data,
                           ldc);
    return library.batched_dgemm(library.handle, left, right, n, m, k, &one, b.data, ldb, g.batch.b, g.a.data, lda,
                                 g.batch.a, &beta, g.c.data, ldc, g.batch.c, count);
  } else {
    const cublasComputeType_t type = compute_type(g.precision);
    if (count == 1)
      return library.gemm_ex(library.handle, left, right, n, m, k, &one, b.data, CUDA_R_32F, ldb, g.a.data, CUDA_R_32F,
                             lda, &beta, g.c.data, CUDA_R_32F, ldc, type, CUBLAS_GEMM_DEFAULT);
    return library.batched_ex(library.handle, left, right, n, m, k, &one, b.data, CUDA_R_32F, ldb, g.batch.b, g.a.data,
                              CUDA_R_32F, lda, g.batch.a, &beta, g.c.data, CUDA_R_32F, ldc, g.batch.c, count, type,
                              CUBLAS_GEMM_DEFAULT);
  }
}

template <class T>
void check_product(cublasStatus_t status, const Gemm<T>& g) {
  if (status == CUBLAS_STATUS_SUCCESS && !gpu::each_call_waits()) return;
  const std::string what =
      fmt::format("{} product{} of [{},{}] and [{},{}], {}", g.batch.count, g.batch.count == 1 ? "" : "s", g.c.rows,
                  g.a.cols, g.a.cols, g.c.cols, name_of(dtype_of<T>));
  if (status != CUBLAS_STATUS_SUCCESS)
    throw DeviceError("cuBLAS", fmt::format("{} failed with status {}", what, static_cast<int>(status)));
  gpu::check_call(cudaSuccess, what.c_str());
}

template <class T>
__global__ void fill_rows_kernel(Matrix<T> c, const T* row) {
  for (int64_t i = gpu::index(); i < c.rows * c.cols; i += gpu::step())
    c.data[i / c.cols * c.ld + i % c.cols] = row[i % c.cols];
}

template <class T>
void gemm_on_gpu(const Gemm<T>& given) {
  Gemm<T> g = given;
  const StridedBatch& batch = g.batch;
  const bool backwards = batch.a < 0 || batch.b < 0 || batch.c < 0;  // which cuBLAS promises nothing about
  if (batch.count != 1 && (g.a.cols == 0 || backwards)) {
    for (int64_t i = 0; i < batch.count; ++i) gemm_on_gpu(g.at(i));
    return;
  }
  if (g.c.rows == 0 || g.c.cols == 0 || batch.count == 0) return;
  if (g.bias) {
    constexpr int threads = 256;
    gpu::launch(fill_rows_kernel<T>, gpu::blocks_for(g.c.rows * g.c.cols, threads), threads, 0, gpu::stream(), g.c,
                g.bias);
    g.accumulate = true;
  }
  if (g.a.cols == 0) {  // an empty product is 0
    for (int64_t i = 0; i < g.c.rows && !g.accumulate; ++i)
      backend(Device::cuda).zero(g.c.at(i, 0), static_cast<size_t>(g.c.cols) * sizeof(T));
    return;
  }
  const gpu::InUse guard;
  if (gpu::should_issue(gpu::CallKind::gemm, g)) check_product(multiply(g), g);
}

const bool installed = install<Device::cuda>(kernels::gemm<float>, gemm_on_gpu<float>) &&
                       install<Device::cuda>(kernels::gemm<double>, gemm_on_gpu<double>);

}  // namespace
}  // namespace seqgrad

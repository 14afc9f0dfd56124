// GEMM through cuBLAS. It is column-major: a row-major C is its transpose to it, so the operands change places.
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
cublasComputeType_t compute_type() {
  switch (matmul_precision()) {
    case MatmulPrecision::tf32: return CUBLAS_COMPUTE_32F_FAST_TF32;
    case MatmulPrecision::bf16: return CUBLAS_COMPUTE_32F_FAST_16BF;
    case MatmulPrecision::fp32: break;
  }
  return CUBLAS_COMPUTE_32F;
}

// An own workspace, so that nothing is allocated later and the same call always takes the same algorithm.
struct Cublas {
  // cublasGemmEx is overloaded.
  using GemmEx = cublasStatus_t (*)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const void*,
                                    const void*, cudaDataType, int, const void*, cudaDataType, int, const void*, void*,
                                    cudaDataType, int, cublasComputeType_t, cublasGemmAlgo_t);
  GemmEx gemm_ex;
  decltype(&cublasDgemm) dgemm;
  cublasHandle_t handle = nullptr;

  Cublas() {
    const auto find = [](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(gpu::cublas_function(name));
    };
    find(gemm_ex, "cublasGemmEx");
    find(dgemm, "cublasDgemm_v2");
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
  cublasStatus_t gemm(cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, const float* alpha,
                      const float* a, int lda, const float* b, int ldb, const float* beta, float* c, int ldc) const {
    return gemm_ex(handle, ta, tb, m, n, k, alpha, a, CUDA_R_32F, lda, b, CUDA_R_32F, ldb, beta, c, CUDA_R_32F, ldc,
                   compute_type(), CUBLAS_GEMM_DEFAULT);
  }
  cublasStatus_t gemm(cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, const double* alpha,
                      const double* a, int lda, const double* b, int ldb, const double* beta, double* c,
                      int ldc) const {
    return dgemm(handle, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
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

template <class T>
void gemm_cuda(const Gemm<T>& g) {
  if (g.m == 0 || g.n == 0) return;
  if (g.k == 0) {  // an empty product is 0
    for (int64_t i = 0; i < g.m && g.beta == 0; ++i)
      backend(Device::cuda).zero(g.c + i * g.ldc, static_cast<size_t>(g.n) * sizeof(T));
    return;
  }
  Gemm<T> call = g;
  call.b_name = 0;  // another one each time
  if (!gpu::is_made(gpu::Asked::gemm, call, matmul_precision())) return;
  const T one = 1;
  check(cublas().gemm(g.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, g.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, size(g.n),
                      size(g.m), size(g.k), &one, g.b, size(g.ldb), g.a, size(g.lda), &g.beta, g.c, size(g.ldc)),
        "gemm");
}

const bool installed = install<Device::cuda>(kernels::gemm<float>, gemm_cuda<float>) &&
                       install<Device::cuda>(kernels::gemm<double>, gemm_cuda<double>);

}  // namespace
}  // namespace seqgrad

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

// An own workspace, so that nothing is allocated later and the same call always takes the same algorithm.
struct Cublas {
  decltype(&cublasSgemm) sgemm;
  decltype(&cublasDgemm) dgemm;
  decltype(&cublasSetMathMode) set_math_mode;
  cublasHandle_t handle = nullptr;

  Cublas() {
    const auto find = [](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(gpu::cublas_function(name));
    };
    find(sgemm, "cublasSgemm_v2");
    find(dgemm, "cublasDgemm_v2");
    find(set_math_mode, "cublasSetMathMode");
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
    return sgemm(handle, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
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
  const T one = 1;
  check(cublas().set_math_mode(cublas().handle, matmul_precision() == MatmulPrecision::tf32 ? CUBLAS_TF32_TENSOR_OP_MATH
                                                                                            : CUBLAS_DEFAULT_MATH),
        "cublasSetMathMode");
  check(cublas().gemm(g.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, g.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, size(g.n),
                      size(g.m), size(g.k), &one, g.b, size(g.ldb), g.a, size(g.lda), &g.beta, g.c, size(g.ldc)),
        "gemm");
}

const bool installed = install<Device::cuda>(kernels::gemm<float>, gemm_cuda<float>) &&
                       install<Device::cuda>(kernels::gemm<double>, gemm_cuda<double>);

}  // namespace
}  // namespace seqgrad

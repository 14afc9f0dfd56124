// GEMM through cuBLAS. It is column-major: a row-major C is its transpose to it, so the operands change places.
#include <string>

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

cublasStatus_t multiply(const Gemm<float>& g) {
  const Cublas& library = cublas();
  const float one = 1;
  return library.gemm_ex(library.handle, operation(g.transpose_b), operation(g.transpose_a), size(g.n), size(g.m),
                         size(g.k), &one, g.b, CUDA_R_32F, size(g.ldb), g.a, CUDA_R_32F, size(g.lda), &g.beta, g.c,
                         CUDA_R_32F, size(g.ldc), compute_type(), CUBLAS_GEMM_DEFAULT);
}
cublasStatus_t multiply(const Gemm<double>& g) {
  const Cublas& library = cublas();
  const double one = 1;
  return library.dgemm(library.handle, operation(g.transpose_b), operation(g.transpose_a), size(g.n), size(g.m),
                       size(g.k), &one, g.b, size(g.ldb), g.a, size(g.lda), &g.beta, g.c, size(g.ldc));
}
cublasStatus_t multiply(const BatchedGemm<float>& all) {
  const Cublas& library = cublas();
  const Gemm<float>& g = all.first;
  const float one = 1;
  return library.batched_ex(library.handle, operation(g.transpose_b), operation(g.transpose_a), size(g.n), size(g.m),
                            size(g.k), &one, g.b, CUDA_R_32F, size(g.ldb), all.stride_b, g.a, CUDA_R_32F, size(g.lda),
                            all.stride_a, &g.beta, g.c, CUDA_R_32F, size(g.ldc), all.stride_c, size(all.count),
                            compute_type(), CUBLAS_GEMM_DEFAULT);
}
cublasStatus_t multiply(const BatchedGemm<double>& all) {
  const Cublas& library = cublas();
  const Gemm<double>& g = all.first;
  const double one = 1;
  return library.batched_dgemm(library.handle, operation(g.transpose_b), operation(g.transpose_a), size(g.n), size(g.m),
                               size(g.k), &one, g.b, size(g.ldb), all.stride_b, g.a, size(g.lda), all.stride_a, &g.beta,
                               g.c, size(g.ldc), all.stride_c, size(all.count));
}

template <class T>
void check_product(cublasStatus_t status, const Gemm<T>& g, int64_t count) {
  if (status == CUBLAS_STATUS_SUCCESS && !gpu::each_call_waits()) return;
  const std::string what = fmt::format("{} product{} of [{},{}] and [{},{}], {}", count, count == 1 ? "" : "s", g.m,
                                       g.k, g.k, g.n, name_of(dtype_of<T>));
  if (status != CUBLAS_STATUS_SUCCESS)
    system_failure("cuBLAS: {}: {} failed with status {}", running_kernel(), what, static_cast<int>(status));
  gpu::check_call(cudaSuccess, what.c_str());
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
  const gpu::InUse guard;
  if (gpu::should_issue(gpu::CallKind::gemm, call, matmul_precision())) check_product(multiply(g), g, 1);
}

template <class T>
void batched_gemm_cuda(const BatchedGemm<T>& g) {
  const bool backwards = g.stride_a < 0 || g.stride_b < 0 || g.stride_c < 0;  // which cuBLAS promises nothing about
  if (g.count < 2 || g.first.k == 0 || backwards) {
    for (int64_t i = 0; i < g.count; ++i) gemm_cuda(g.at(i));
    return;
  }
  if (g.first.m == 0 || g.first.n == 0) return;
  const gpu::InUse guard;
  if (gpu::should_issue(gpu::CallKind::batched_gemm, g, matmul_precision()))
    check_product(multiply(g), g.first, g.count);
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::gemm<T>, gemm_cuda<T>) &&
         install<Device::cuda>(kernels::batched_gemm<T>, batched_gemm_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad

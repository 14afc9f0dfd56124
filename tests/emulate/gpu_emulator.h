// CUDA's language and the part of its run time that engine/*.cu use, on the CPU: the kernels of the GPU, compiled by
// the C++ compiler. Threads of a block are fibres that change at barriers and shuffles; blocks run one after the other.
// Device memory cannot be read by the host outside of kernels and copies.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(threads)

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;  // of the thread that runs

namespace emulate {

// Runs `call(context)` for each thread of each block. Throws std::logic_error for a barrier or shuffle that some
// threads of a block (of a warp) do not reach, and for sizes that no GPU takes.
void run(int64_t grid, int block, size_t shared, void (*call)(const void*), const void* context);

// Threads and blocks in descending order: what does not depend on it needs no barrier that is not there.
void set_reverse_order(bool reverse);

// The next call of the named function of the run time ("launch" for a kernel) returns `status` and does nothing.
void fail_next(const char* function, int status);
int64_t launches();
int64_t synchronisations();  // how often the host has waited for the stream

void block_barrier();
void exchange(const void* mine, void* theirs, size_t bytes, unsigned lane);  // among the lanes of a warp
void* block_memory();

// While one lives, the host may touch device memory.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

}  // namespace emulate

inline void __syncthreads() { emulate::block_barrier(); }

template <class T>
T __shfl_xor_sync(unsigned, T x, int mask) {
  T out;
  emulate::exchange(&x, &out, sizeof(T), (threadIdx.x % 32) ^ static_cast<unsigned>(mask));
  return out;
}

// The run time. Names and values are CUDA's.
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchFailure = 719
};
using cudaStream_t = struct EmulatedStream*;
using cudaMemPool_t = struct EmulatedPool*;
struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
  int major, minor;
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum { cudaStreamNonBlocking = 1, cudaMemPoolAttrReleaseThreshold = 4 };

cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaGetLastError();
const char* cudaGetErrorName(cudaError_t error);
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, int attribute, void* value);
cudaError_t cudaMallocHost(void** memory, size_t bytes);
cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);

// cuBLAS: column-major, on the CPU's GEMM.
enum cublasStatus_t { CUBLAS_STATUS_SUCCESS = 0 };
enum cublasOperation_t { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };
enum cublasMath_t { CUBLAS_DEFAULT_MATH = 0, CUBLAS_TF32_TENSOR_OP_MATH = 3 };
using cublasHandle_t = struct EmulatedCublas*;
cublasStatus_t cublasCreate(cublasHandle_t* handle);
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream);
cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void* workspace, size_t bytes);
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode);
cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                           const float* alpha, const float* a, int lda, const float* b, int ldb, const float* beta,
                           float* c, int ldc);
cublasStatus_t cublasDgemm(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                           const double* alpha, const double* a, int lda, const double* b, int ldb, const double* beta,
                           double* c, int ldc);

namespace seqgrad::gpu {

void check(cudaError_t status, const char* what);

template <class... P, class... A>
void launch(void (*kernel)(P...), int64_t grid, int block, size_t shared, cudaStream_t, const A&... args) {
  if (grid == 0) return;
  const std::tuple<std::remove_cv_t<P>...> values{args...};
  const auto call = [&] { std::apply(kernel, values); };
  emulate::run(
      grid, block, shared, [](const void* f) { (*static_cast<const decltype(call)*>(f))(); }, &call);
  check(cudaGetLastError(), "launch of a kernel");
}

template <class T>
T* shared_memory() {
  return static_cast<T*>(emulate::block_memory());
}

void* cublas_function(const char* name);

}  // namespace seqgrad::gpu

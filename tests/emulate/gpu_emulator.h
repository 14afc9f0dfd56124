// CUDA's language and the part of its run time that engine/*.cu use, on the CPU: the kernels of the GPU, compiled by
// the C++ compiler. Threads of a block are fibres that change at barriers and shuffles; blocks run one after the other.
// Device memory cannot be read by the host outside of kernels and copies.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;  // of the thread that runs

// The run time. Names and values are CUDA's.
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchFailure = 719,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901
};

namespace emulate {

// Bytes of shared memory that a block may have: 227 KiB as on Hopper, or as on another GPU.
void set_most_shared(size_t bytes);
size_t most_shared();

// How many GPUs there are from now on, before any is used; 1 from the start.
void set_devices(int count);
int current_device();  // of this thread
// What a call of a thread returns whose device is not that of the stream: an error.
cudaError_t on_stream_device();

// From now on bits of a row of a product depend on how many rows it has, as cuBLAS's do, which takes another kernel.
void set_gemm_bits_depend_on_rows(bool depend);

// Runs `call(context)` for each thread of each block. Throws std::logic_error for a barrier or shuffle that some
// threads of a block (of a warp) do not reach, and for sizes that no GPU takes.
void run(int64_t grid, int block, size_t shared, void (*call)(const void*), const void* context);

// Threads and blocks in descending order: what does not depend on it needs no barrier that is not there.
void set_reverse_order(bool reverse);

// The next call of the named function of the run time or of cuBLAS ("launch" for a kernel) returns `status` and does
// nothing.
void fail_next(const char* function, int status);
int64_t launches();
int64_t synchronisations();  // how often the host has waited for the stream
int64_t graph_launches();
int64_t graph_nodes();  // that graphs have run
int64_t graphs();       // that have been made and not destroyed

// While a stream is captured: keeps the call for the graph, and true.
bool kept_for_graph(std::function<void()> call);
// What a call that no graph can hold returns: while a stream is captured an error, which spoils the capture.
cudaError_t outside_of_graphs();

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

using cudaStream_t = struct EmulatedStream*;
using cudaMemPool_t = struct EmulatedPool*;
struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
  int major, minor;
  int l2CacheSize;
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum { cudaStreamNonBlocking = 1, cudaMemPoolAttrReleaseThreshold = 4 };

cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int device);
enum cudaDeviceAttr { cudaDevAttrMaxSharedMemoryPerBlockOptin = 97 };
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
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
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);

// Events: all work is done when it is asked for, so none is ever waited for.
using cudaEvent_t = struct EmulatedEvent*;
enum { cudaEventDisableTiming = 2 };
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);

// Graphs: stream capture, of calls in their order.
using cudaGraph_t = struct EmulatedGraph*;
using cudaGraphExec_t = struct EmulatedGraph*;
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
using cudaGraphNode_t = struct EmulatedNode*;
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);

// cuBLAS: column-major, on the CPU's GEMM.
enum cublasStatus_t : int { CUBLAS_STATUS_SUCCESS = 0 };
enum cublasOperation_t { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };
enum cudaDataType { CUDA_R_32F = 0 };
enum cublasComputeType_t {
  CUBLAS_COMPUTE_32F = 68,
  CUBLAS_COMPUTE_32F_FAST_16BF = 75,
  CUBLAS_COMPUTE_32F_FAST_TF32 = 77
};
enum cublasGemmAlgo_t { CUBLAS_GEMM_DEFAULT = -1 };
using cublasHandle_t = struct EmulatedCublas*;
cublasStatus_t cublasCreate(cublasHandle_t* handle);
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream);
cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void* workspace, size_t bytes);
cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                            const void* alpha, const void* a, cudaDataType a_type, int lda, const void* b,
                            cudaDataType b_type, int ldb, const void* beta, void* c, cudaDataType c_type, int ldc,
                            cublasComputeType_t type, cublasGemmAlgo_t algorithm);
cublasStatus_t cublasDgemm(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                           const double* alpha, const double* a, int lda, const double* b, int ldb, const double* beta,
                           double* c, int ldc);
cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m,
                                          int n, int k, const void* alpha, const void* a, cudaDataType a_type, int lda,
                                          long long stride_a, const void* b, cudaDataType b_type, int ldb,
                                          long long stride_b, const void* beta, void* c, cudaDataType c_type, int ldc,
                                          long long stride_c, int count, cublasComputeType_t type,
                                          cublasGemmAlgo_t algorithm);
cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m,
                                         int n, int k, const double* alpha, const double* a, int lda,
                                         long long stride_a, const double* b, int ldb, long long stride_b,
                                         const double* beta, double* c, int ldc, long long stride_c, int count);

namespace seqgrad::gpu {

constexpr int64_t replays_per_comparison = 1;  // of a graph, where its user does not say

template <class... P>
cudaError_t launch_now(void (*kernel)(P...), int64_t grid, int block, size_t shared, cudaStream_t, P... args) {
  const std::tuple<std::remove_cv_t<P>...> values{args...};
  const auto run = [=] {
    const auto call = [&] { std::apply(kernel, values); };
    emulate::run(
        grid, block, shared, [](const void* f) { (*static_cast<const decltype(call)*>(f))(); }, &call);
  };
  if (const cudaError_t status = emulate::on_stream_device(); status != cudaSuccess) return status;
  if (!emulate::kept_for_graph(run)) run();
  return cudaGetLastError();
}

template <class T>
T* shared_memory() {
  return static_cast<T*>(emulate::block_memory());
}

inline void raise(int32_t* flag) { __atomic_store_n(flag, 1, __ATOMIC_RELAXED); }

void* cublas_function(const char* name);

}  // namespace seqgrad::gpu

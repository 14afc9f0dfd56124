// The emulated run time: device memory that the host cannot read, copies, and cuBLAS on the CPU's GEMM.
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/device/cpu_gemm.h"
#include "tests/emulate/gpu_emulator.h"

namespace emulate {
namespace {

constexpr size_t total_bytes = size_t{4} << 30, unit = 4096;

struct Memory {
  char* base = nullptr;
  size_t used = 0;  // from here on never handed out
  std::map<size_t, size_t> taken, free;
  int access = 0;
  int64_t synchronisations = 0;
  cudaError_t last = cudaSuccess;
  std::map<std::string, cudaError_t> failures;

  Memory() {
    void* p = mmap(nullptr, total_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    base = static_cast<char*>(p);
  }
  void protect(int how) const {
    if (used > 0 && mprotect(base, used, how) != 0) throw std::runtime_error("mprotect of device memory failed");
  }
};
Memory& memory() {
  static Memory& m = *new Memory;  // tapes of threads release theirs late
  return m;
}

}  // namespace

cudaError_t remember(cudaError_t status) {
  if (status != cudaSuccess) memory().last = status;
  return status;
}

cudaError_t injected(const char* function) {
  const auto found = memory().failures.find(function);
  if (found == memory().failures.end()) return cudaSuccess;
  const cudaError_t status = found->second;
  memory().failures.erase(found);
  return remember(status);
}
void fail_next(const char* function, int status) { memory().failures[function] = static_cast<cudaError_t>(status); }

// Whole pages of zeros are given back to the system: opening and closing memory costs time for each page that is there.
void fill_with_zeros(char* begin, size_t bytes) {
  const size_t head = std::min(bytes, (unit - reinterpret_cast<uintptr_t>(begin) % unit) % unit),
               pages = (bytes - head) / unit * unit;
  std::memset(begin, 0, head);
  if (pages > 0 && madvise(begin + head, pages, MADV_DONTNEED) != 0) throw std::runtime_error("madvise failed");
  std::memset(begin + head + pages, 0, bytes - head - pages);
}

int64_t synchronisations() { return memory().synchronisations; }

DeviceAccess::DeviceAccess() {
  if (memory().access++ == 0) memory().protect(PROT_READ | PROT_WRITE);
}
DeviceAccess::~DeviceAccess() {
  if (--memory().access == 0) memory().protect(PROT_NONE);
}

}  // namespace emulate

using emulate::injected;
using emulate::memory;

#define SEQGRAD_INJECTED \
  if (const cudaError_t status = injected(__func__); status != cudaSuccess) return status

cudaError_t cudaGetDeviceCount(int* count) {
  SEQGRAD_INJECTED;
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int) { return injected(__func__); }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  constexpr int cache = 1 << 20;  // small, so that tests have rows that it does not hold
  *p = {"emulated GPU", emulate::total_bytes, 9, 0, emulate::most_shared, cache};
  return injected(__func__);
}
cudaError_t cudaDriverGetVersion(int* version) {  // which stays what it was where there is no driver
  SEQGRAD_INJECTED;
  *version = 12000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return injected(__func__);
}
cudaError_t cudaGetLastError() {
  const cudaError_t last = memory().last;
  memory().last = cudaSuccess;
  return last;
}
const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorIllegalAddress: return "cudaErrorIllegalAddress";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated: return "cudaErrorStreamCaptureInvalidated";
  }
  return "unrecognized error code";
}
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidConfiguration: return "invalid configuration argument";
    case cudaErrorInsufficientDriver: return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorNoDevice: return "no CUDA-capable device is detected";
    case cudaErrorIllegalAddress: return "an illegal memory access was encountered";
    case cudaErrorLaunchFailure: return "unspecified launch failure";
    case cudaErrorStreamCaptureUnsupported: return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated: return "operation failed due to a previous error during capture";
  }
  return "unrecognized error code";
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = nullptr;
  return injected(__func__);
}
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  SEQGRAD_INJECTED;
  ++memory().synchronisations;
  return emulate::outside_of_graphs();
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  *pool = nullptr;
  return injected(__func__);
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, int, void*) { return injected(__func__); }
cudaError_t cudaMallocHost(void** memory, size_t bytes) {
  SEQGRAD_INJECTED;
  *memory = std::malloc(bytes);
  return cudaSuccess;
}

// First fit. What is new begins with bytes that are NaN in every format.
cudaError_t cudaMallocAsync(void** out, size_t bytes, cudaStream_t) {
  SEQGRAD_INJECTED;
  if (const cudaError_t status = emulate::outside_of_graphs(); status != cudaSuccess) return status;
  auto& m = memory();
  const size_t size = (bytes + emulate::unit - 1) / emulate::unit * emulate::unit;
  size_t at = m.used;
  for (const auto& [offset, room] : m.free)
    if (room >= size) {
      at = offset;
      break;
    }
  if (at == m.used) {
    if (size > emulate::total_bytes - m.used) return emulate::remember(cudaErrorMemoryAllocation);
    m.used += size;
  } else {
    const size_t room = m.free[at];
    m.free.erase(at);
    if (room > size) m.free[at + size] = room - size;
  }
  m.taken[at] = size;
  *out = m.base + at;
  const emulate::DeviceAccess access;
  std::memset(*out, 0xFF, std::min(bytes, emulate::unit));
  return cudaSuccess;
}
cudaError_t cudaFreeAsync(void* freed, cudaStream_t) {
  SEQGRAD_INJECTED;
  if (const cudaError_t status = emulate::outside_of_graphs(); status != cudaSuccess) return status;
  auto& m = memory();
  const auto found = m.taken.find(static_cast<size_t>(static_cast<char*>(freed) - m.base));
  if (found == m.taken.end()) throw std::logic_error("cudaFreeAsync: memory that was not allocated");
  size_t at = found->first, size = found->second;
  m.taken.erase(found);
  if (const auto after = m.free.find(at + size); after != m.free.end()) {
    size += after->second;
    m.free.erase(after);
  }
  m.free[at] = size;
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = emulate::total_bytes;
  *free = *total;
  for (const auto& [at, size] : memory().taken) *free -= size;
  return injected(__func__);
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t) {
  SEQGRAD_INJECTED;
  const auto fill = [=] {
    const emulate::DeviceAccess access;
    if (value == 0)
      emulate::fill_with_zeros(static_cast<char*>(to), bytes);
    else
      std::memset(to, value, bytes);
  };
  if (!emulate::kept_for_graph(fill)) fill();
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
  SEQGRAD_INJECTED;
  const auto on_device = [](const void* p) {
    const char* c = static_cast<const char*>(p);
    return c >= memory().base && c < memory().base + emulate::total_bytes;
  };
  if (on_device(to) != (kind != cudaMemcpyDeviceToHost) || on_device(from) != (kind != cudaMemcpyHostToDevice))
    throw std::logic_error("cudaMemcpyAsync: the pointers are not what the kind of copy says");
  if (kind != cudaMemcpyDeviceToDevice)  // a graph would read or write the host's memory when it is launched
    if (const cudaError_t status = emulate::outside_of_graphs(); status != cudaSuccess) return status;
  const auto copy = [=] {
    const emulate::DeviceAccess access;
    std::memmove(to, from, bytes);
  };
  if (!emulate::kept_for_graph(copy)) copy();
  return cudaSuccess;
}

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
  seqgrad::cpu_gemm(seqgrad::Gemm<T>{tb == CUBLAS_OP_T, ta == CUBLAS_OP_T, n, m, k, b, ldb, a, lda, beta, c, ldc});
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
cublasStatus_t make(double alpha, const std::function<void()>& product) {
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
  return make(static_cast<double>(*static_cast<const float*>(alpha)), [=, scale = *static_cast<const float*>(beta)] {
    multiply_rounded(type, ta, tb, m, n, k, static_cast<const float*>(a), lda, static_cast<const float*>(b), ldb, scale,
                     static_cast<float*>(c), ldc);
  });
}
cublasStatus_t cublasDgemm(cublasHandle_t, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                           const double* alpha, const double* a, int lda, const double* b, int ldb, const double* beta,
                           double* c, int ldc) {
  return make(*alpha, [=, scale = *beta] { multiply(ta, tb, m, n, k, a, lda, b, ldb, scale, c, ldc); });
}
cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t, cublasOperation_t ta, cublasOperation_t tb, int m, int n,
                                          int k, const void* alpha, const void* a, cudaDataType, int lda,
                                          long long stride_a, const void* b, cudaDataType, int ldb, long long stride_b,
                                          const void* beta, void* c, cudaDataType, int ldc, long long stride_c,
                                          int count, cublasComputeType_t type, cublasGemmAlgo_t) {
  check_strides(stride_a, stride_b, stride_c);
  return make(static_cast<double>(*static_cast<const float*>(alpha)), [=, scale = *static_cast<const float*>(beta)] {
    for (int i = 0; i < count; ++i)
      multiply_rounded(type, ta, tb, m, n, k, static_cast<const float*>(a) + i * stride_a, lda,
                       static_cast<const float*>(b) + i * stride_b, ldb, scale, static_cast<float*>(c) + i * stride_c,
                       ldc);
  });
}
cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t, cublasOperation_t ta, cublasOperation_t tb, int m, int n,
                                         int k, const double* alpha, const double* a, int lda, long long stride_a,
                                         const double* b, int ldb, long long stride_b, const double* beta, double* c,
                                         int ldc, long long stride_c, int count) {
  check_strides(stride_a, stride_b, stride_c);
  return make(*alpha, [=, scale = *beta] {
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

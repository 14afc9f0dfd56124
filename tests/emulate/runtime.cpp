// The emulated run time: device memory that the host cannot read, and copies.
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

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
  std::map<std::string, int> failures;

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

int taken_failure(const char* function) {
  const auto found = memory().failures.find(function);
  if (found == memory().failures.end()) return 0;
  const int status = found->second;
  memory().failures.erase(found);
  return status;
}
cudaError_t injected(const char* function) { return remember(static_cast<cudaError_t>(taken_failure(function))); }
void fail_next(const char* function, int status) { memory().failures[function] = status; }

// Whole pages of zeros are given back to the system: opening and closing memory costs time for each page that is there.
void fill_with_zeros(char* begin, size_t bytes) {
  const size_t head = std::min(bytes, (unit - reinterpret_cast<uintptr_t>(begin) % unit) % unit),
               pages = (bytes - head) / unit * unit;
  std::memset(begin, 0, head);
  if (pages > 0 && madvise(begin + head, pages, MADV_DONTNEED) != 0) throw std::runtime_error("madvise failed");
  std::memset(begin + head + pages, 0, bytes - head - pages);
}

static int devices = 1, device_of_stream = 0;
static thread_local int device_of_thread = 0;
void set_devices(int count) { devices = count; }
int current_device() { return device_of_thread; }
cudaError_t on_stream_device() {
  return device_of_thread == device_of_stream ? cudaSuccess : cudaErrorInvalidResourceHandle;
}

static size_t shared_bytes = 227 << 10;
void set_most_shared(size_t bytes) { shared_bytes = bytes; }
size_t most_shared() { return shared_bytes; }

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
  *count = emulate::devices;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  SEQGRAD_INJECTED;
  emulate::device_of_thread = device;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  constexpr int cache = 1 << 20;  // small, so that tests have rows that it does not hold
  *p = {"emulated GPU", emulate::total_bytes, 9, 0, cache};
  return injected(__func__);
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = static_cast<int>(emulate::most_shared());
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
    case cudaErrorInvalidResourceHandle: return "cudaErrorInvalidResourceHandle";
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
    case cudaErrorInvalidResourceHandle: return "invalid resource handle";
    case cudaErrorIllegalAddress: return "an illegal memory access was encountered";
    case cudaErrorLaunchFailure: return "unspecified launch failure";
    case cudaErrorStreamCaptureUnsupported: return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated: return "operation failed due to a previous error during capture";
  }
  return "unrecognized error code";
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = nullptr;
  emulate::device_of_stream = emulate::device_of_thread;
  return injected(__func__);
}
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  SEQGRAD_INJECTED;
  ++memory().synchronisations;
  return emulate::outside_of_graphs();
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = nullptr;
  return injected(__func__);
}
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) {
  SEQGRAD_INJECTED;
  return emulate::outside_of_graphs();
}
cudaError_t cudaEventSynchronize(cudaEvent_t) {
  SEQGRAD_INJECTED;
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
cudaError_t cudaFreeHost(void* memory) {
  std::free(memory);
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }

// First fit. What is new begins with bytes that are NaN in every format.
cudaError_t cudaMallocAsync(void** out, size_t bytes, cudaStream_t) {
  SEQGRAD_INJECTED;
  if (const cudaError_t status = emulate::on_stream_device(); status != cudaSuccess) return status;
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
  if (const cudaError_t status = emulate::on_stream_device(); status != cudaSuccess) return status;
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

// The GPU as a Backend: one stream, a stream-ordered memory pool that keeps what it has, copies through pinned memory.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

constexpr size_t download_buffer_bytes = size_t{4} << 20;

// Pinned memory of the host, in two halves that are filled in turn: copies in the stream may still read what was
// filled.
struct PinnedRing {
  static constexpr size_t half_bytes = size_t{8} << 20;
  char* memory = nullptr;
  cudaEvent_t read[2] = {};  // when the stream has passed the copies of a half
  bool is_pending[2] = {};   // whether that is waited for before the half is filled again
  int half = 0;
  size_t used = 0;  // of that half

  char* free() const { return memory + static_cast<size_t>(half) * half_bytes + used; }
  // Where the half is full, goes to the other one: that waits only where the host has run ahead of the device by all of
  // a half.
  void make_room(cudaStream_t stream) {
    if (used < half_bytes) return;
    gpu::check(cudaEventRecord(read[half], stream), "an event");
    is_pending[half] = true;
    half ^= 1;
    used = 0;
    if (!std::exchange(is_pending[half], false)) return;
    gpu::check(cudaEventSynchronize(read[half]), "work on the device (SEQGRAD_SYNC=1 tells which)");
  }
  void stream_has_passed() { used = 0, is_pending[0] = is_pending[1] = false; }
};

struct Gpu {
  cudaStream_t stream = nullptr;
  cudaDeviceProp properties{};
  PinnedRing uploads;
  char* download_buffer = nullptr;  // pinned

  int number = 0;  // of those that the process sees

  explicit Gpu(int asked) {
    try {
      start(asked);
    } catch (...) {  // it may be asked for again
      release();
      throw;
    }
  }

  void start(int asked) {
    int devices = 0;
    if (const cudaError_t status = cudaGetDeviceCount(&devices); status != cudaSuccess) {
      int driver = 0, runtime = 0;
      cudaDriverGetVersion(&driver);
      cudaRuntimeGetVersion(&runtime);
      cudaGetLastError();  // or a later call would report it
      if (driver == 0)
        system_failure("device cuda: no NVIDIA driver found ({}, {})", cudaGetErrorName(status),
                       static_cast<int>(status));
      system_failure("device cuda: {} ({}, {}); CUDA {}.{} in this build, {}.{} in the driver",
                     cudaGetErrorString(status), cudaGetErrorName(status), static_cast<int>(status), runtime / 1000,
                     runtime % 1000 / 10, driver / 1000, driver % 1000 / 10);
    }
    number = asked % std::max(1, devices);
    gpu::make_current(number);
    gpu::check(cudaGetDeviceProperties(&properties, number), "properties of the device");
    gpu::check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
    cudaMemPool_t pool;
    gpu::check(cudaDeviceGetDefaultMemPool(&pool, number), "the memory pool");
    uint64_t keep_all = ~uint64_t{0};
    gpu::check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep_all), "the memory pool");
    gpu::check(cudaMallocHost(reinterpret_cast<void**>(&uploads.memory), 2 * PinnedRing::half_bytes), "pinned memory");
    for (cudaEvent_t& event : uploads.read)
      gpu::check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "an event");
    gpu::check(cudaMallocHost(reinterpret_cast<void**>(&download_buffer), download_buffer_bytes), "pinned memory");
  }

  void release() {
    for (char* memory : {uploads.memory, download_buffer})
      if (memory) cudaFreeHost(memory);
    for (const cudaEvent_t event : uploads.read)
      if (event) cudaEventDestroy(event);
    if (stream) cudaStreamDestroy(stream);
    cudaGetLastError();
  }

  void synchronise() {
    gpu::refuse_in_graph("waits for the device");
    gpu::check(cudaStreamSynchronize(stream), "work on the device (SEQGRAD_SYNC=1 tells which)");
    uploads.stream_has_passed();
  }
};

struct GpuState {
  gpu::StreamState state;
  int chosen = 0;            // modulo the number of GPUs
  std::unique_ptr<Gpu> gpu;  // once it is asked for
};
// Never destroyed: tapes of threads release their memory late, when the driver may be gone.
GpuState& device() {
  static GpuState& device = *new GpuState;
  return device;
}

Gpu& started() {
  const gpu::InUse guard;
  GpuState& all = device();
  if (!all.gpu) {
    all.gpu = std::make_unique<Gpu>(all.chosen);
    all.state.device = all.gpu->number;
  }
  return *all.gpu;
}

class Cuda final : public Backend {
 public:
  void* allocate(size_t bytes) const override {
    const gpu::InUse guard;
    gpu::refuse_in_graph("asks for memory");
    Gpu& gpu = started();
    void* memory = nullptr;
    const cudaError_t status = cudaMallocAsync(&memory, std::max<size_t>(bytes, 1), gpu.stream);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      size_t free = 0, total = 0;
      gpu::check(cudaMemGetInfo(&free, &total), "free memory of the device");
      system_failure("out of memory: {} bytes asked of the GPU, {} of {} are free ({}, {})", bytes, free, total,
                     cudaGetErrorName(status), static_cast<int>(status));
    }
    gpu::check(status, "memory of the device");
    zero(memory, bytes);
    return memory;
  }
  void release(void* memory, size_t) const noexcept override {
    const gpu::InUse guard;
    (void)cudaFreeAsync(memory, started().stream);
  }
  void zero(void* memory, size_t bytes) const override {
    const gpu::InUse guard;
    if (bytes > 0 && gpu::should_issue(gpu::CallKind::zero, memory, bytes))
      gpu::check_call(cudaMemsetAsync(memory, 0, bytes, started().stream), "filling with zeros");
  }
  void copy(void* to, const void* from, size_t bytes) const override {
    const gpu::InUse guard;
    if (bytes > 0 && gpu::should_issue(gpu::CallKind::copy, to, from, bytes))
      gpu::check_call(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, started().stream),
                      "a copy on the device");
  }

  // What the stream still has to read lies in pinned memory.
  void upload(void* to, const void* host, size_t bytes) const override {
    if (bytes == 0) return;
    const gpu::InUse guard;
    gpu::refuse_in_graph("uploads in its body");
    Gpu& gpu = started();
    PinnedRing& ring = gpu.uploads;
    for (size_t done = 0; done < bytes;) {
      ring.make_room(gpu.stream);
      const size_t part = std::min(bytes - done, PinnedRing::half_bytes - ring.used);
      std::memcpy(ring.free(), static_cast<const char*>(host) + done, part);
      gpu::check_call(
          cudaMemcpyAsync(static_cast<char*>(to) + done, ring.free(), part, cudaMemcpyHostToDevice, gpu.stream),
          "a copy to the device");
      ring.used += part;
      done += part;
    }
  }
  void download(void* host, const void* from, size_t bytes) const override {
    const gpu::InUse guard;
    gpu::refuse_in_graph("waits for the device");
    Gpu& gpu = started();
    for (size_t done = 0; done < bytes; done += download_buffer_bytes) {
      const size_t part = std::min(bytes - done, download_buffer_bytes);
      gpu::check(cudaMemcpyAsync(gpu.download_buffer, static_cast<const char*>(from) + done, part,
                                 cudaMemcpyDeviceToHost, gpu.stream),
                 "a copy from the device");
      gpu.synchronise();
      std::memcpy(static_cast<char*>(host) + done, gpu.download_buffer, part);
    }
  }
  void synchronise() const override {
    const gpu::InUse guard;
    started().synchronise();
  }

  std::string describe() const override {
    const cudaDeviceProp& p = started().properties;
    return fmt::format("{}, sm_{}{}, {:.1f} GiB", static_cast<const char*>(p.name), p.major, p.minor,
                       static_cast<double>(p.totalGlobalMem) / (1 << 30));
  }
  size_t memory_bytes() const override { return started().properties.totalGlobalMem; }
  void choose(int number) const override {
    const gpu::InUse guard;
    device().chosen = number;
  }
};

constexpr Cuda cuda;
const bool installed = install_backend(Device::cuda, cuda);

}  // namespace

namespace gpu {

cudaStream_t stream() { return started().stream; }
const cudaDeviceProp& properties() { return started().properties; }

StreamState& stream_state() { return device().state; }
void make_current(int device) { check(cudaSetDevice(device), "choice of a device"); }

size_t most_shared_memory() {
  int bytes = 0;
  check(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, stream_state().device),
        "shared memory of the device");
  return static_cast<size_t>(bytes);
}

bool each_call_waits() {
  static const bool waits = [] {
    const char* value = std::getenv("SEQGRAD_SYNC");
    return value && *value && std::strcmp(value, "0") != 0;
  }();
  return waits;
}

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // or the next call would report it again
  throw DeviceError("device cuda", fmt::format("{}: {} ({}, {})", what, cudaGetErrorString(status),
                                               cudaGetErrorName(status), static_cast<int>(status)));
}

void check_call(cudaError_t status, const char* what) {
  check(status, what);
  if (each_call_waits() && stream_state().mode == CallMode::issue) check(cudaStreamSynchronize(stream()), what);
}

void check_launch(cudaError_t status, int64_t grid, int block, size_t shared) {
  if (status == cudaSuccess && !each_call_waits()) return;
  check_call(
      status,
      fmt::format("launch of {} blocks of {} threads with {} bytes of shared memory", grid, block, shared).c_str());
}

}  // namespace gpu
}  // namespace seqgrad

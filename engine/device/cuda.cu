// The GPU as a Backend: one stream, a stream-ordered memory pool that keeps what it has, copies through pinned memory.
#include <algorithm>
#include <cstring>

#include "engine/device/recording.cuh"

namespace seqgrad {
namespace {

constexpr size_t landing_bytes = size_t{4} << 20;

struct Gpu {
  cudaStream_t stream = nullptr;
  cudaDeviceProp properties{};
  gpu::Staging staging;
  char* landing = nullptr;  // pinned, for copies to the host

  Gpu() {
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
    gpu::check(cudaSetDevice(0), "choice of a device");
    gpu::check(cudaGetDeviceProperties(&properties, 0), "properties of the device");
    gpu::check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
    cudaMemPool_t pool;
    gpu::check(cudaDeviceGetDefaultMemPool(&pool, 0), "the memory pool");
    uint64_t keep_all = ~uint64_t{0};
    gpu::check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep_all), "the memory pool");
    gpu::check(cudaMallocHost(reinterpret_cast<void**>(&staging.memory), gpu::Staging::capacity), "pinned memory");
    gpu::check(cudaMallocHost(reinterpret_cast<void**>(&landing), landing_bytes), "pinned memory");
  }

  void synchronise() {
    gpu::refuse_in_graph("waits for the device");
    gpu::check(cudaStreamSynchronize(stream), "work on the device");
    staging.used = 0;
  }
};

Gpu& started() {
  static Gpu& gpu = *new Gpu;  // never destroyed: the driver may be gone before static objects are
  return gpu;
}

class Cuda final : public Backend {
 public:
  void* allocate(size_t bytes) override {
    gpu::refuse_in_graph("asks for memory");
    Gpu& gpu = started();
    void* memory = nullptr;
    const cudaError_t status = cudaMallocAsync(&memory, bytes, gpu.stream);
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
  void release(void* memory, size_t) noexcept override { (void)cudaFreeAsync(memory, started().stream); }
  void zero(void* memory, size_t bytes) override {
    if (bytes > 0 && gpu::is_made(gpu::Asked::zero, memory, bytes))
      gpu::check(cudaMemsetAsync(memory, 0, bytes, started().stream), "filling with zeros");
  }
  void copy(void* to, const void* from, size_t bytes) override {
    if (bytes > 0 && gpu::is_made(gpu::Asked::copy, to, from, bytes))
      gpu::check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, started().stream), "a copy on the device");
  }

  // The caller may change its memory at once: what the stream still has to read lies in pinned memory.
  void* upload(void* to, const void* host, size_t bytes) override {
    if (bytes == 0) return to;
    if (gpu::recording != gpu::Recording::none) return gpu::stage_for_graph(host, bytes);
    Gpu& gpu = started();
    gpu::uploaded += gpu::staged_size(bytes);
    for (size_t done = 0; done < bytes;) {
      if (gpu.staging.used == gpu::Staging::capacity) gpu.synchronise();
      const size_t part = std::min(bytes - done, gpu::Staging::capacity - gpu.staging.used);
      char* from = gpu.staging.memory + gpu.staging.used;
      std::memcpy(from, static_cast<const char*>(host) + done, part);
      gpu::check(cudaMemcpyAsync(static_cast<char*>(to) + done, from, part, cudaMemcpyHostToDevice, gpu.stream),
                 "a copy to the device");
      gpu.staging.used += part;
      done += part;
    }
    return to;
  }
  void download(void* host, const void* from, size_t bytes) override {
    gpu::refuse_in_graph("waits for the device");
    Gpu& gpu = started();
    for (size_t done = 0; done < bytes; done += landing_bytes) {
      const size_t part = std::min(bytes - done, landing_bytes);
      gpu::check(
          cudaMemcpyAsync(gpu.landing, static_cast<const char*>(from) + done, part, cudaMemcpyDeviceToHost, gpu.stream),
          "a copy from the device");
      gpu.synchronise();
      std::memcpy(static_cast<char*>(host) + done, gpu.landing, part);
    }
  }
  void synchronise() override { started().synchronise(); }

  std::string describe() const override {
    const cudaDeviceProp& p = started().properties;
    return fmt::format("{}, sm_{}{}, {:.1f} GiB", static_cast<const char*>(p.name), p.major, p.minor,
                       static_cast<double>(p.totalGlobalMem) / (1 << 30));
  }
};

constinit Cuda cuda;
const bool installed = install_backend(Device::cuda, cuda);

}  // namespace

namespace gpu {

cudaStream_t stream() { return started().stream; }
const cudaDeviceProp& properties() { return started().properties; }
Staging& staging() { return started().staging; }

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // or the next call would report it again
  system_failure("device cuda: {}: {} ({}, {})", what, cudaGetErrorString(status), cudaGetErrorName(status),
                 static_cast<int>(status));
}

}  // namespace gpu
}  // namespace seqgrad

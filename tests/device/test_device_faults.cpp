// Every status of CUDA's run time is checked, and what a person reads names it.
#include <cstdlib>

#include "engine/core/tape.h"
#include "engine/device/step_graph.h"
#include "engine/ops/reduce.h"
#include "tests/emulate/gpu_emulator.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

std::string said(const std::function<void()>& f) {
  try {
    f();
  } catch (const SystemError& e) {
    REQUIRE(e.code() == ExitCode::system);
    return e.what();
  }
  return "nothing";
}

void use_every_call() {
  const Backend& gpu = backend(Device::cuda);
  void* memory = gpu.allocate(64);
  const struct Release {
    const Backend& gpu;
    void* memory;
    ~Release() { gpu.release(memory, 64); }
  } release{gpu, memory};
  float host[16] = {};
  gpu.upload(memory, host, 64);
  gpu.download(host, memory, 64);
  StepGraphs graphs(Device::cuda);
  for (int i = 0; i < 3; ++i) {  // as it is, recorded, replayed
    Tape::current().reset();
    graphs.run({{}, {}, [] { zeros({2}, DType::f32, Device::cuda); }});
  }
  Tape::current().reset();
  sum(from_host(std::vector<float>{1, 2}, {2}, Device::cuda));
}

}  // namespace

TEST_CASE("a failing call of the run time is an error of the system that names CUDA's reason") {
  use_every_call();
  for (const char* function : {"cudaMallocAsync", "cudaMemsetAsync", "cudaMemcpyAsync", "cudaStreamSynchronize",
                               "launch", "cudaGraphLaunch"}) {
    CAPTURE(function);
    emulate::fail_next(function, cudaErrorLaunchFailure);
    const std::string text = said(use_every_call);
    CHECK_THAT(text, Catch::Matchers::StartsWith("device cuda: "));
    CHECK_THAT(text, Catch::Matchers::EndsWith(": unspecified launch failure (cudaErrorLaunchFailure, 719)"));
    CHECK(said(use_every_call) == "nothing");  // and nothing of it stays
  }
}

TEST_CASE("a step whose recording fails runs as it is, and says why") {
  for (const char* function :
       {"cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphGetNodes", "cudaGraphInstantiate"}) {
    CAPTURE(function);
    const Result r = in_a_process([&] {
      emulate::fail_next(function, cudaErrorLaunchFailure);
      use_every_call();
      use_every_call();
    });
    CHECK(r.code == 0);
    CHECK_THAT(r.err,
               Catch::Matchers::Contains("warning: a step cannot be replayed as a CUDA graph (device cuda: ") &&
                   Catch::Matchers::Contains(": unspecified launch failure (cudaErrorLaunchFailure, 719)); it is"));
  }
}

TEST_CASE("out of memory names the bytes asked for and those that are free") {
  emulate::fail_next("cudaMallocAsync", cudaErrorMemoryAllocation);
  CHECK_THAT(said([] { backend(Device::cuda).allocate(123456); }),
             Catch::Matchers::StartsWith("out of memory: 123456 bytes asked of the GPU, ") &&
                 Catch::Matchers::EndsWith(" of 4294967296 are free (cudaErrorMemoryAllocation, 2)"));
  CHECK_THAT(said([] { backend(Device::cuda).allocate(size_t{5} << 30); }),
             Catch::Matchers::StartsWith("out of memory: 5368709120 bytes asked of the GPU, "));
}

TEST_CASE("start of the device with SEQGRAD_FAIL", "[.device_start]") {
  const char* function = std::getenv("SEQGRAD_FAIL");
  if (!function) return;  // the test below runs this one, in a process where nothing has used the device
  emulate::fail_next(function, std::atoi(std::getenv("SEQGRAD_STATUS")));
  if (std::getenv("SEQGRAD_NO_DRIVER")) emulate::fail_next("cudaDriverGetVersion", cudaErrorInsufficientDriver);
  std::fprintf(stderr, "said: %s\n", said([] { backend(Device::cuda).describe(); }).c_str());
  std::fprintf(stderr, "then: %s\n", said([] { backend(Device::cuda).describe(); }).c_str());
}

TEST_CASE("a device that cannot be used is refused with CUDA's reason, and asked again") {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const auto start = [&](const std::string& function, int status) {
    const Scratch dir;
    const std::string log = dir / "log";
    REQUIRE(std::system(("SEQGRAD_FAIL=" + function + " SEQGRAD_STATUS=" + std::to_string(status) + " " + self +
                         " '[.device_start]' >" + log + " 2>&1")
                            .c_str()) == 0);
    return slurp(log);
  };
  const std::string none = start("cudaGetDeviceCount", cudaErrorNoDevice);
  CHECK_THAT(none, Catch::Matchers::Contains(
                       "said: device cuda: no CUDA-capable device is detected (cudaErrorNoDevice, 100); CUDA 13.0 in "
                       "this build, 12.0 in the driver\nthen: nothing"));
  const std::string old = start("cudaGetDeviceCount", cudaErrorInsufficientDriver);
  CHECK_THAT(old, Catch::Matchers::Contains("said: device cuda: CUDA driver version is insufficient for CUDA runtime "
                                            "version (cudaErrorInsufficientDriver, 35); CUDA 13.0 in this build, 12.0 "
                                            "in the driver\n"));
  CHECK_THAT(start("cudaGetDeviceCount SEQGRAD_NO_DRIVER=1", cudaErrorInsufficientDriver),
             Catch::Matchers::Contains(
                 "said: device cuda: no NVIDIA driver found (cudaErrorInsufficientDriver, 35)\nthen: nothing"));
  for (const char* function :
       {"cudaSetDevice", "cudaGetDeviceProperties", "cudaStreamCreateWithFlags", "cudaDeviceGetDefaultMemPool",
        "cudaMemPoolSetAttribute", "cudaMallocHost", "cudaEventCreateWithFlags"})
    CHECK_THAT(start(function, cudaErrorLaunchFailure), Catch::Matchers::Contains("(cudaErrorLaunchFailure, 719)"));
}

// Best of several, since whatever disturbs a measurement makes it slower.
#include "apps/bench/measure.h"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <chrono>

#include "engine/core/thread_pool.h"
#include "engine/device/gemm.h"

namespace seqgrad {
namespace {

struct rusage usage() {
  struct rusage now {};
  getrusage(RUSAGE_SELF, &now);
  return now;
}

}  // namespace

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cpu_ms() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

nlohmann::ordered_json quartiles(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  const auto at = [&](double q) { return v[static_cast<size_t>(q * static_cast<double>(v.size() - 1) + 0.5)]; };
  return {{"median", at(0.5)}, {"p25", at(0.25)}, {"p75", at(0.75)}, {"min", v[0]}, {"n", v.size()}};
}

int64_t peak_bytes() { return usage().ru_maxrss * 1024; }
int64_t minor_page_faults() { return usage().ru_minflt; }

GemmRate GemmRate::best(const GemmRate& other) const {
  return {std::max(gflops, other.gflops), std::max(cpu_gflops, other.cpu_gflops)};
}

GemmRate gemm_rate() {
  constexpr int64_t n = 768;
  const std::vector<float> a(n * n, 0.5f), b(n * n, 0.25f);
  std::vector<float> c(n * n);
  GemmRate best;
  for (int i = 0; i < 8; ++i) {
    const double start = now_ms(), cpu = cpu_ms();
    kernels::gemm<float>(Device::cpu, {Matrix{a.data(), n, n}, Matrix{b.data(), n, n}, Matrix{c.data(), n, n}, false});
    constexpr double flop = 2.0 * n * n * n / 1e6;
    best = best.best({flop / (now_ms() - start), flop / (cpu_ms() - cpu)});
  }
  return best;
}

namespace {

double copy_on_gpu(size_t bytes) {
  constexpr int copies = 10;  // between two waits
  const Backend& gpu = backend(Device::cuda);
  void* const memory = gpu.allocate(2 * bytes);
  double best = 1e30;
  for (int i = 0; i < 6; ++i) {
    gpu.synchronise();
    const double start = now_ms();
    for (int c = 0; c < copies; ++c) gpu.copy(static_cast<char*>(memory) + bytes, memory, bytes);
    gpu.synchronise();
    best = std::min(best, (now_ms() - start) / copies);
  }
  gpu.release(memory, 2 * bytes);
  return 2.0 * static_cast<double>(bytes) / best / 1e6;
}

}  // namespace

double copy_gb_per_s(size_t bytes, Device device) {
  if (device == Device::cuda) return copy_on_gpu(bytes);
  const std::vector<char> a(bytes, 1);
  std::vector<char> b(bytes);
  double best = 1e30;
  for (int i = 0; i < 6; ++i) {
    const double start = now_ms();
    parallel_ranges(static_cast<int64_t>(bytes), 1 << 20, [&](int64_t begin, int64_t end) {
      std::copy(a.begin() + begin, a.begin() + end, b.begin() + begin);
    });
    best = std::min(best, now_ms() - start);
  }
  return 2.0 * static_cast<double>(bytes) / best / 1e6;
}

}  // namespace seqgrad

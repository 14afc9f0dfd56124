// The CPU as a Backend: zeroed pages from the system, huge ones where it gives them.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "engine/core/backend.h"
#include "engine/core/error.h"
#include "engine/core/thread_pool.h"

namespace seqgrad {
namespace {

class Cpu final : public Backend {
 public:
  void* allocate(size_t bytes) const override {
    bytes = std::max<size_t>(bytes, 1);  // mmap refuses nothing
    void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
      system_failure("out of memory: {} bytes asked of the system ({})", bytes, std::strerror(errno));
    madvise(p, bytes, MADV_HUGEPAGE);  // a first touch of a small page costs 1.7 us; a refusal is no error
    return p;
  }
  void release(void* memory, size_t bytes) const noexcept override { munmap(memory, std::max<size_t>(bytes, 1)); }
  void zero(void* memory, size_t bytes) const override {
    parallel_ranges(static_cast<int64_t>(bytes), 1 << 19, [=](int64_t begin, int64_t end) {
      std::memset(static_cast<char*>(memory) + begin, 0, static_cast<size_t>(end - begin));
    });
  }
  void copy(void* to, const void* from, size_t bytes) const override {
    if (bytes > 0) std::memmove(to, from, bytes);  // which must not be given null, as an empty vector has it
  }
  void upload(void* to, const void* host, size_t bytes) const override { copy(to, host, bytes); }
  void download(void* host, const void* from, size_t bytes) const override { copy(host, from, bytes); }
  void synchronise() const override {}

  std::string describe() const override {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);)
      if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
    return "unknown CPU";
  }
  size_t memory_bytes() const override {
    return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  }
};

constexpr Cpu cpu;
const bool installed = install_backend(Device::cpu, cpu);

}  // namespace
}  // namespace seqgrad

// All code that float32 products can ask for is made by a few tiny ones, while a fault of this thread leads back here.
#include "engine/device/onednn_start.h"

#include <sys/mman.h>

#include <array>
#include <csetjmp>
#include <csignal>
#include <string>

#include "engine/core/error.h"
#include "engine/device/onednn.h"

namespace seqgrad {
namespace {

constexpr size_t code_bytes = size_t{20} << 20;  // 17.2 MB in 60 pieces, and some to live on
constexpr const char* short_of_memory =
    "out of memory: oneDNN, which makes matrix products, did not get the 17 MB that its code takes; allow more memory "
    "(ulimit -v)";

thread_local sigjmp_buf* way_back = nullptr;

void go_back(int signal) {
  if (way_back) siglongjmp(*way_back, 1);
  std::signal(signal, SIG_DFL);  // another thread's fault: it happens again, and ends the process
}

bool memory_is_there() {
  void* p = mmap(nullptr, code_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p != MAP_FAILED && munmap(p, code_bytes) == 0;
}

// Each transposition, with and without adding, of matrices, vectors, and matrices of few rows or columns.
void make_all_code() {
  constexpr dnnl_dim_t n = 64, narrow = 4, one = 1;
  std::array<float, n * n> a{}, b{}, c{};
  for (const auto& [rows, columns] : {std::pair{n, n}, {narrow, n}, {n, narrow}, {one, n}, {n, one}})
    for (const char ta : {'N', 'T'})
      for (const char tb : {'N', 'T'})
        for (const float beta : {0.0f, 1.0f})
          (void)dnnl_sgemm(ta, tb, rows, columns, n, 1, a.data(), n, b.data(), n, beta, c.data(), n);
}

// Why oneDNN cannot be used; "" where it can. What a fault has left half made is never called again.
std::string failure_of_start() {
  if (!memory_is_there()) return short_of_memory;
  sigjmp_buf here;
  struct sigaction ours = {}, before = {};
  ours.sa_handler = go_back;
  sigaction(SIGSEGV, &ours, &before);
  const bool died = sigsetjmp(here, 1) != 0;
  if (!died) {
    way_back = &here;
    make_all_code();
  }
  way_back = nullptr;
  sigaction(SIGSEGV, &before, nullptr);
  return died ? short_of_memory : "";
}

}  // namespace

std::string onednn_version() {
  const dnnl_version_t& v = *dnnl_version();
  return fmt::format("{}.{}.{} ({})", v.major, v.minor, v.patch, v.hash);
}

void start_onednn() {
  static const std::string failure = failure_of_start();
  if (!failure.empty()) throw SystemError(failure);
}

}  // namespace seqgrad

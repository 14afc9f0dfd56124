// Preloaded into a process: the mmap of oneDNN whose number SEQGRAD_FAIL_MMAP says, counted from 1, finds no memory.
#include <dlfcn.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace {

bool is_of_onednn(const void* caller) {
  Dl_info from;
  return dladdr(caller, &from) != 0 && from.dli_fname && std::strstr(from.dli_fname, "dnnl");
}

void* mapped(const void* caller, void* at, size_t bytes, int protection, int flags, int file, off_t offset) {
  using Mmap = void* (*)(void*, size_t, int, int, int, off_t);
  static const Mmap real = reinterpret_cast<Mmap>(dlsym(RTLD_NEXT, "mmap"));
  static int count = 0;
  const char* fails = std::getenv("SEQGRAD_FAIL_MMAP");
  if (fails && is_of_onednn(caller) && ++count == std::atoi(fails)) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return real(at, bytes, protection, flags, file, offset);
}

}  // namespace

extern "C" {
void* mmap(void* at, size_t bytes, int protection, int flags, int file, off_t offset) noexcept {
  return mapped(__builtin_return_address(0), at, bytes, protection, flags, file, offset);
}
void* mmap64(void* at, size_t bytes, int protection, int flags, int file, off_t offset) noexcept {
  return mapped(__builtin_return_address(0), at, bytes, protection, flags, file, offset);
}
}

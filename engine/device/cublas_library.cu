// Where cuBLAS comes from: the loader's path, then the toolkit's usual place.
#include <dlfcn.h>

#include <string>

#include "engine/device/gpu.cuh"

namespace seqgrad::gpu {
namespace {

void* open_library() {
  const std::string file = "libcublas.so." + std::to_string(CUBLAS_VER_MAJOR);
  for (const std::string& path : {file, "/usr/local/cuda/lib64/" + file})
    if (void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
  const char* why = dlerror();
  system_failure("device cuda: {} cannot be loaded ({}); install cuBLAS of CUDA {}", file,
                 why ? why : "no reason given", CUBLAS_VER_MAJOR);
}

}  // namespace

void* cublas_function(const char* name) {
  static void* const library = open_library();
  void* function = dlsym(library, name);
  if (!function) system_failure("device cuda: libcublas.so.{} has no function {}", CUBLAS_VER_MAJOR, name);
  return function;
}

}  // namespace seqgrad::gpu

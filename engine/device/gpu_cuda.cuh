// The half of gpu.cuh that is CUDA's own; the emulator has its counterpart.
#pragma once
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <cstdint>

namespace seqgrad::gpu {

constexpr int64_t replays_per_comparison = 64;  // of a graph, where its user does not say

template <class... P>
cudaError_t launch_now(void (*kernel)(P...), int64_t grid, int block, size_t shared, cudaStream_t stream, P... args) {
  constexpr size_t without_asking = 48 << 10;
  if (shared > without_asking)
    if (const cudaError_t status =
            cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(shared));
        status != cudaSuccess)
      return status;
  kernel<<<static_cast<unsigned>(grid), static_cast<unsigned>(block), shared, stream>>>(args...);
  return cudaGetLastError();
}

// The dynamic shared memory of the block.
template <class T>
__device__ T* shared_memory() {
  extern __shared__ __align__(16) unsigned char memory[];
  return reinterpret_cast<T*>(memory);
}

// Sets a flag that blocks may set at the same time.
__device__ inline void raise(int32_t* flag) { atomicExch(flag, 1); }

// A function of cuBLAS, which is loaded when first used: linking it would cost every start of the program 0.2 s.
// Throws SystemError when the library or the function is not there.
void* cublas_function(const char* name);

}  // namespace seqgrad::gpu

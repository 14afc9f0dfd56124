// What kernels are written with: CUDA, or under SEQGRAD_EMULATE the emulator of tests/emulate, which compiles the same
// sources for the CPU. Kernels keep to what both have: launch, one block of dynamic shared memory, __syncthreads,
// __shfl_xor_sync by whole warps, raise; blocks are multiples of 32 threads.
#pragma once
#ifdef SEQGRAD_EMULATE
#include <gpu_emulator.h>
#else
#include "engine/device/gpu_cuda.cuh"
#endif

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "engine/core/kernel.h"
#include "engine/core/tape.h"
#include "engine/device/recording.cuh"

namespace seqgrad::gpu {

constexpr int warp = 32;

// The one stream that all work runs in; the first call begins to use the device, and throws SystemError where it
// cannot.
cudaStream_t stream();
const cudaDeviceProp& properties();
size_t most_shared_memory();  // bytes that a block may have when it asks for them

// Throws SystemError with the kernel that runs and CUDA's words, name and code unless `status` is success. `what` was
// being done.
void check(cudaError_t status, const char* what);

// With SEQGRAD_SYNC=1 in the environment each call waits until the device has done it, so that a fault is told with the
// kernel and the sizes that caused it; without, it comes out at some later call.
bool each_call_waits();
// After a call: checks it, and waits for it if calls do.
void check_call(cudaError_t status, const char* what);
void check_launch(cudaError_t status, int64_t grid, int block, size_t shared);

template <class... P, class... A>
void launch(void (*kernel)(P...), int64_t grid, int block, size_t shared, cudaStream_t stream, const A&... args) {
  const InUse guard;
  if (grid > 0 && should_issue(CallKind::launch, kernel, grid, block, shared, P(args)...))
    check_launch(launch_now<P...>(kernel, grid, block, shared, stream, P(args)...), grid, block, shared);
}

// Blocks for a kernel that walks n items from index() in steps of step(): as many as needed, at most what fills a GPU.
inline int64_t blocks_for(int64_t n, int64_t threads) {
  const int64_t blocks = (n + threads - 1) / threads;
  return blocks < 4096 ? blocks : 4096;
}
__device__ inline int64_t index() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline int64_t step() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

struct Plus {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Larger {  // NaN wins
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};

// x of the lane whose number differs from this one's in the bits of `mask`: a number, or a struct of some.
template <class T>
__device__ T from_lane(T x, int mask) {
  if constexpr (std::is_arithmetic_v<T>) {
    return __shfl_xor_sync(0xFFFFFFFF, x, mask);
  } else {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(uint64_t) == 0);
    uint64_t words[sizeof(T) / sizeof(uint64_t)];
    std::memcpy(words, &x, sizeof x);
    for (uint64_t& word : words) word = __shfl_xor_sync(0xFFFFFFFF, word, mask);
    std::memcpy(&x, words, sizeof x);
    return x;
  }
}

// Of all lanes, to all lanes; in one fixed order, so the same bits everywhere and always.
template <class T, class F>
__device__ T warp_reduce(T x, F combine) {
  for (int lane = warp / 2; lane > 0; lane /= 2) x = combine(x, from_lane(x, lane));
  return x;
}

// Of all threads of the block, to all; its warps are a power of two. `memory`: shared, one T a warp, used by nothing
// else between barriers.
template <class T, class F>
__device__ T block_reduce(T x, T* memory, F combine) {
  x = warp_reduce(x, combine);
  const int warps = static_cast<int>(blockDim.x) / warp;
  if (warps == 1) return x;
  __syncthreads();  // an earlier reduction may still be read
  if (threadIdx.x % warp == 0) memory[threadIdx.x / warp] = x;
  __syncthreads();
  x = memory[threadIdx.x % static_cast<unsigned>(warps)];  // each warp reduces what all have left
  for (int lane = warps / 2; lane > 0; lane /= 2) x = combine(x, from_lane(x, lane));
  return x;
}

}  // namespace seqgrad::gpu

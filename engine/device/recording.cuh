// What the backend and the step graphs of a GPU tell each other about uploads.
#pragma once
#include "engine/device/gpu.cuh"

namespace seqgrad::gpu {

// Pinned memory of the host. Its first `used` bytes may still be read by copies in the stream.
struct Staging {
  static constexpr size_t capacity = size_t{8} << 20;
  char* memory = nullptr;
  size_t used = 0;
};
Staging& staging();

// Uploads while something is recorded or repeated: into pinned memory, one after the other, to be copied to the device
// all at once before the graph runs. Where on the device the bytes will be.
void* stage_for_graph(const void* host, size_t bytes);

// Throws while something is recorded or repeated, SystemError in the first case; `what` it would do.
void refuse_in_graph(const char* what);

inline int64_t uploaded = 0;  // bytes in all, rounded up as they are staged
constexpr size_t staged_size(size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace seqgrad::gpu

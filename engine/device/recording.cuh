// What the backend and the step graphs of a GPU tell each other about uploads.
#pragma once
#include "engine/device/gpu.cuh"

namespace seqgrad::gpu {

// Pinned memory of the host, in two halves that are filled in turn: copies in the stream may still read what was
// filled.
struct Staging {
  static constexpr size_t capacity = size_t{8} << 20;  // of a half: what fits in one piece
  char* memory = nullptr;
  cudaEvent_t read[2] = {};  // when the stream has passed the copies of a half
  bool waits[2] = {};        // for its event, before it is filled again
  int half = 0;
  size_t used = 0;  // of that half

  char* free() const { return memory + static_cast<size_t>(half) * capacity + used; }
  // Makes room for `bytes` in one piece, in the other half if need be: that waits only where the host has run ahead of
  // the device by all of a half.
  void reserve(size_t bytes);
  void forget() { used = 0, waits[0] = waits[1] = false; }  // the stream has passed everything
};
Staging& staging();

// Uploads while something is recorded or repeated: into pinned memory, one after the other, to be copied to the device
// all at once before the graph runs. Where on the device the bytes will be.
void* stage_for_graph(const void* host, size_t bytes);

// Throws while something is recorded or repeated, which then runs as it is; `what` it would do.
void refuse_in_graph(const char* what);

inline int64_t uploaded = 0;  // bytes in all, rounded up as they are staged
constexpr size_t staged_size(size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace seqgrad::gpu

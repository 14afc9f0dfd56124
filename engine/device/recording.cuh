// Every call that reaches a GPU's stream asks here first: it is issued, recorded in a graph, or compared with what was
// recorded.
#pragma once
#include <cstdint>
#include <cstring>
#include <mutex>
#include <vector>

namespace seqgrad::gpu {

enum class CallMode : uint8_t { issue, record, compare };

// Threads share the device's one stream and what is recorded of it.
struct StreamState {
  int device = 0;              // of the GPUs that the process sees
  std::recursive_mutex mutex;  // held while a call reaches the stream, and while a step is recorded or compared
  CallMode mode = CallMode::issue;
  std::vector<unsigned char>* calls = nullptr;  // that record_call writes to, or compares with
  size_t cursor = 0;                            // how many bytes of them have been compared
  bool has_warned = false;                      // of a step that cannot be recorded
};
StreamState& stream_state();
void make_current(int device);  // of this thread
// The device is used, by this thread alone. CUDA lets each thread begin with device 0.
struct InUse {
  std::lock_guard<std::recursive_mutex> lock{stream_state().mutex};
  InUse() {
    if (stream_state().device != 0) make_current(stream_state().device);
  }
};

// Records the call, or throws ReplayMismatch where it is not the recorded one (step_graph.cu).
void record_call(const void* call, size_t bytes);
// While steps are recorded or compared: throws, so that the step runs as it is; `what` it would do.
void refuse_in_graph(const char* what);

// Bytes between members are whatever stood there. (clang 14 cannot clear them: there two equal calls may seem to
// differ.)
template <class P>
void clear_padding([[maybe_unused]] P& x) {
#if __has_builtin(__builtin_clear_padding)
  __builtin_clear_padding(&x);
#endif
}

// Whether a call should be issued now; else it has been compared. `parts` are all that tells it from other calls.
enum class CallKind : uint8_t { launch, gemm, zero, copy };
template <class... P>
bool should_issue(CallKind kind, P... parts) {
  if (stream_state().mode == CallMode::issue) return true;
  unsigned char call[sizeof(kind) + (sizeof(P) + ...)];
  std::memcpy(call, &kind, sizeof(kind));
  size_t used = sizeof(kind);
  ((clear_padding(parts), std::memcpy(call + used, &parts, sizeof(P)), used += sizeof(P)), ...);
  record_call(call, used);
  return stream_state().mode == CallMode::record;
}

}  // namespace seqgrad::gpu

// Every call that reaches a GPU's stream asks here first: it is issued, recorded in a graph, or compared with what was
// recorded.
#pragma once
#include <cstdint>
#include <cstring>
#include <mutex>

namespace seqgrad::gpu {

// Threads share the device's one stream and what is recorded of it: held while a call reaches it, and while a step is
// recorded or compared.
std::recursive_mutex& device_mutex();
struct InUse {
  std::lock_guard<std::recursive_mutex> lock{device_mutex()};
};

enum class CallMode : uint8_t { issue, record, compare };
inline CallMode call_mode = CallMode::issue;  // guarded by device_mutex()

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
  if (call_mode == CallMode::issue) return true;
  unsigned char call[sizeof(kind) + (sizeof(P) + ...)];
  std::memcpy(call, &kind, sizeof(kind));
  size_t used = sizeof(kind);
  ((clear_padding(parts), std::memcpy(call + used, &parts, sizeof(P)), used += sizeof(P)), ...);
  record_call(call, used);
  return call_mode == CallMode::record;
}

}  // namespace seqgrad::gpu

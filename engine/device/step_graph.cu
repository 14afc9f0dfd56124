// A step is recorded by stream capture. A replay launches the graph; a comparison runs the body on the host before
// that, and each call must have the bytes of the recorded one.
#include "engine/device/step_graph.h"

#include <algorithm>
#include <cstring>
#include <list>
#include <string>
#include <utility>

#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

struct Recording {
  std::vector<int64_t> key;
  bool has_run = false;  // as it is
  bool is_recordable = true;
  cudaGraphExec_t graph = nullptr;
  // What the graph does, and what must hold when it is launched.
  std::vector<unsigned char> calls;        // as record_call got them
  Tape::Extent begin, end;                 // of the tape, before and after the body
  std::vector<StepInputs::Slot> accepted;  // the inputs' places, and how far out they may lie
  int64_t replays = 0;                     // since the body was run last

  explicit Recording(std::vector<int64_t> k) : key(std::move(k)) {}
  ~Recording() { forget(); }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  void forget() {
    if (graph) (void)cudaGraphExecDestroy(graph);
    graph = nullptr;
    calls.clear();
  }
};

using Recordings = std::list<Recording>;  // the last used first

Recording& find(Recordings& all, const std::vector<int64_t>& key) {
  for (auto r = all.begin(); r != all.end(); ++r)
    if (r->key == key) {
      all.splice(all.begin(), all, r);
      return all.front();
    }
  if (all.size() == most_step_graphs) all.pop_back();
  all.emplace_front(key);
  return all.front();
}

struct ReplayMismatch {};  // a call is not the recorded one
struct CannotRecord {
  const char* why;
};

struct CallModeScope {
  CallModeScope(gpu::CallMode mode, std::vector<unsigned char>& bytes) {
    gpu::stream_state().calls = &bytes;
    gpu::stream_state().cursor = 0;
    gpu::stream_state().mode = mode;
  }
  ~CallModeScope() { gpu::stream_state().mode = gpu::CallMode::issue; }
  CallModeScope(const CallModeScope&) = delete;
  CallModeScope& operator=(const CallModeScope&) = delete;
};

// Steps of this key run as they are from now on.
void give_up(Recording& recording, const std::string& why) {
  recording.is_recordable = false;
  if (!std::exchange(gpu::stream_state().has_warned, true))
    fmt::print(stderr,
               "warning: a step cannot be replayed as a CUDA graph ({}); it is made call by call, which is slower; "
               "graphs: false asks for no graphs\n",
               why);
}

// What the capture holds, or null, and nothing done: the step cannot be recorded.
cudaGraph_t capture(Recording& recording, const std::function<void()>& body) {
  cudaGraph_t captured = nullptr;
  const auto abandon = [&] {
    (void)cudaStreamEndCapture(gpu::stream(), &captured);
    if (captured) (void)cudaGraphDestroy(captured);
    (void)cudaGetLastError();
    return nullptr;
  };
  gpu::check(cudaStreamBeginCapture(gpu::stream(), cudaStreamCaptureModeThreadLocal), "recording of a step");
  try {
    const CallModeScope scope(gpu::CallMode::record, recording.calls);
    body();
  } catch (const CannotRecord& e) {
    give_up(recording, fmt::format("it {}", e.why));
    return abandon();
  } catch (...) {
    abandon();
    throw;
  }
  gpu::check(cudaStreamEndCapture(gpu::stream(), &captured), "recording of a step");
  return captured;
}

// False: nothing was recorded, and nothing done.
bool record(Recording& recording, const GraphStep& step, int64_t& nodes) {
  recording.forget();
  try {
    cudaGraph_t captured = capture(recording, step.body);
    if (!captured) return false;
    size_t count = 0;
    cudaError_t status = cudaGraphGetNodes(captured, nullptr, &count);
    if (status == cudaSuccess) status = cudaGraphInstantiate(&recording.graph, captured, 0);
    (void)cudaGraphDestroy(captured);
    gpu::check(status, "instantiation of a graph");
    nodes = static_cast<int64_t>(count);
  } catch (const SystemError& e) {  // if it is the device that fails, the step as it is will say so
    give_up(recording, e.what());
    return false;
  }
  recording.accepted.assign(step.inputs.begin(), step.inputs.end());
  return true;
}

// Whether each call is the recorded one.
bool compare(Recording& recording, const GraphStep& step) {
  try {
    const CallModeScope scope(gpu::CallMode::compare, recording.calls);
    step.body();
  } catch (const ReplayMismatch&) {
    return false;
  }
  if (gpu::stream_state().cursor != recording.calls.size()) return false;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    Bounds& accepted = recording.accepted[i].bounds;
    accepted.low = std::min(accepted.low, step.inputs[i].bounds.low);
    accepted.high = std::max(accepted.high, step.inputs[i].bounds.high);
  }
  return true;
}

bool lie_where_they_lay(std::span<const StepInputs::Slot> inputs, const std::vector<StepInputs::Slot>& accepted) {
  return std::equal(inputs.begin(), inputs.end(), accepted.begin(), accepted.end(), [](const auto& a, const auto& b) {
    return a.data == b.data && a.bytes == b.bytes && a.bounds.known == b.bounds.known;
  });
}
// Ranges, which is what a body looks at: numbers between accepted ones are accepted.
bool are_accepted(std::span<const StepInputs::Slot> inputs, const std::vector<StepInputs::Slot>& accepted) {
  return std::equal(inputs.begin(), inputs.end(), accepted.begin(), accepted.end(), [](const auto& a, const auto& b) {
    return a.bounds.low >= b.bounds.low && a.bounds.high <= b.bounds.high;
  });
}

// Whether the graph does this step; else nothing was done, and there is no graph any more.
bool replay(Recording& recording, const GraphStep& step, const Tape::Extent& begin, int64_t replays_per_comparison) {
  const bool fits = begin == recording.begin && lie_where_they_lay(step.inputs, recording.accepted),
             is_accepted = fits && are_accepted(step.inputs, recording.accepted);
  if (is_accepted && recording.replays + 1 < replays_per_comparison) {
    ++recording.replays;
    Tape::current().go_on_from(recording.end, Device::cuda);
    return true;
  }
  if (fits && compare(recording, step)) {
    recording.replays = 0;
    return true;
  }
  const int64_t unchecked = std::exchange(recording.replays, 0);
  recording.forget();
  if (is_accepted && unchecked > 0)
    system_failure(
        "a step asks the GPU for other calls than the graph that was replayed for it; graphs: false does "
        "without");
  return false;
}

void run_step_cuda(const kernels::RunStep& run) {
  const GraphStep& step = run.step;
  if (!run.options.replay || gpu::each_call_waits()) return step.body();
  const gpu::InUse guard;
  if (!run.recordings) run.recordings = std::make_shared<Recordings>();
  Recording& recording = find(*static_cast<Recordings*>(run.recordings.get()), step.key);
  if (!std::exchange(recording.has_run, true) || !recording.is_recordable) return step.body();
  Tape& tape = Tape::current();
  const Tape::Extent begin = tape.extent(Device::cuda);
  const int64_t replays = run.options.replays_per_comparison.value_or(gpu::replays_per_comparison);
  if (recording.graph ? !replay(recording, step, begin, replays) : !record(recording, step, run.nodes)) {
    recording.forget();
    tape.go_on_from(begin, Device::cuda);
    return step.body();
  }
  recording.begin = begin;
  recording.end = tape.extent(Device::cuda);
  gpu::check(cudaGraphLaunch(recording.graph, gpu::stream()), "launch of a graph");
}

const bool installed = install<Device::cuda>(kernels::run_step, run_step_cuda);

}  // namespace

namespace gpu {

void record_call(const void* call, size_t bytes) {
  StreamState& state = stream_state();
  if (state.mode == CallMode::record) {
    const auto* from = static_cast<const unsigned char*>(call);
    state.calls->insert(state.calls->end(), from, from + bytes);
    return;
  }
  if (bytes > state.calls->size() - state.cursor || std::memcmp(state.calls->data() + state.cursor, call, bytes) != 0)
    throw ReplayMismatch{};
  state.cursor += bytes;
}

void refuse_in_graph(const char* what) {
  if (stream_state().mode == CallMode::compare) throw ReplayMismatch{};  // what was recorded did not
  if (stream_state().mode == CallMode::record) throw CannotRecord{what};
}

}  // namespace gpu
}  // namespace seqgrad

// Recording is stream capture; repeating compares calls byte by byte and launches the graph after one copy of uploads.
#include "engine/device/step_graph.h"

#include <cstring>
#include <list>
#include <string>
#include <utility>

#include "engine/device/recording.cuh"

namespace seqgrad {
namespace {

struct Graph {
  std::vector<int64_t> key;
  cudaGraphExec_t graph = nullptr;
  std::vector<unsigned char> calls;  // as gpu::note got them
  size_t uploads = 0;                // bytes
  bool ran = false;                  // as it is
  bool is_recordable = true;

  explicit Graph(std::vector<int64_t> k) : key(std::move(k)) {}
  ~Graph() { forget(); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void forget() {
    if (graph) (void)cudaGraphExecDestroy(graph);
    graph = nullptr;
    calls.clear();
  }
};

struct Differs {};  // a call is not the recorded one
struct CannotRecord {
  const char* why;
};

struct Recorder {
  std::list<Graph> graphs;  // the last used first
  char* inbox = nullptr;    // on the device: what the host has staged for a graph
  Graph* now = nullptr;
  size_t compared = 0;  // bytes of now->calls
  size_t staged = 0;    // bytes from staging().used on
};
Recorder& recorder() {
  static Recorder& r = *new Recorder;  // never destroyed, like the device
  return r;
}

// While it lives, calls go to the graph.
struct Scope {
  Scope(Graph& graph, gpu::Recording how) {
    recorder().now = &graph;
    recorder().compared = recorder().staged = 0;
    gpu::recording = how;
  }
  ~Scope() { gpu::recording = gpu::Recording::none; }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
};

void run_as_it_is(Graph& graph, const std::function<void()>& body) {
  const int64_t before = gpu::uploaded;
  body();
  graph.ran = true;
  graph.uploads = static_cast<size_t>(gpu::uploaded - before);
}

// Steps of this key run as they are from now on.
void give_up(Graph& graph, const std::string& why) {
  graph.is_recordable = false;
  static bool told = false;
  if (!std::exchange(told, true))
    fmt::print(stderr,
               "warning: a step cannot be repeated as a CUDA graph ({}); it is made call by call, which is slower; "
               "graphs: false asks for no graphs\n",
               why);
}

// What the capture holds, or null and nothing done: the step cannot be recorded, or uploads more than it did before.
cudaGraph_t capture(Graph& graph, const std::function<void()>& body) {
  cudaGraph_t captured = nullptr;
  const auto abandon = [&] {
    (void)cudaStreamEndCapture(gpu::stream(), &captured);
    if (captured) (void)cudaGraphDestroy(captured);
    (void)cudaGetLastError();
    return nullptr;
  };
  gpu::check(cudaStreamBeginCapture(gpu::stream(), cudaStreamCaptureModeThreadLocal), "recording of a step");
  try {
    const Scope scope(graph, gpu::Recording::records);
    body();
  } catch (const Differs&) {
    return abandon();
  } catch (const CannotRecord& e) {
    give_up(graph, fmt::format("it {}", e.why));
    return abandon();
  } catch (...) {
    abandon();
    throw;
  }
  gpu::check(cudaStreamEndCapture(gpu::stream(), &captured), "recording of a step");
  return captured;
}

// False: nothing was recorded, and nothing done.
bool record(Graph& graph, const std::function<void()>& body) {
  graph.forget();
  try {
    cudaGraph_t captured = capture(graph, body);
    if (!captured) return false;
    size_t nodes = 0;
    cudaError_t status = cudaGraphGetNodes(captured, nullptr, &nodes);
    if (status == cudaSuccess) status = cudaGraphInstantiate(&graph.graph, captured, 0);
    (void)cudaGraphDestroy(captured);
    gpu::check(status, "instantiation of a graph");
    note_step_graph_nodes(static_cast<int64_t>(nodes));
    return true;
  } catch (const SystemError& e) {  // if it is the device that fails, the step as it is will say so
    give_up(graph, e.what());
    return false;
  }
}

// Whether each call was the recorded one.
bool repeats(Graph& graph, const std::function<void()>& body) {
  try {
    const Scope scope(graph, gpu::Recording::repeats);
    body();
  } catch (const Differs&) {
    return false;
  }
  return recorder().compared == graph.calls.size();
}

void launch(const Graph& graph) {
  gpu::Staging& from = gpu::staging();
  if (const size_t bytes = recorder().staged; bytes > 0)
    gpu::check(cudaMemcpyAsync(recorder().inbox, from.free(), bytes, cudaMemcpyHostToDevice, gpu::stream()),
               "a copy to the device");
  from.used += recorder().staged;
  gpu::check(cudaGraphLaunch(graph.graph, gpu::stream()), "launch of a graph");
}

Graph& find(const std::vector<int64_t>& key) {
  auto& graphs = recorder().graphs;
  for (auto g = graphs.begin(); g != graphs.end(); ++g)
    if (g->key == key) {
      graphs.splice(graphs.begin(), graphs, g);
      return graphs.front();
    }
  if (graphs.size() == most_step_graphs) graphs.pop_back();
  graphs.emplace_front(key);
  return graphs.front();
}

void repeated_step_cuda(const RepeatedStep& step) {
  if (!step_graphs() || gpu::each_call_waits()) return step.body();
  const gpu::InUse guard;
  Graph& graph = find(step.key);
  if (!graph.ran) return run_as_it_is(graph, step.body);
  gpu::Staging& staging = gpu::staging();
  if (!graph.is_recordable || graph.uploads > staging.capacity) return step.body();
  if (!recorder().inbox) recorder().inbox = static_cast<char*>(backend(Device::cuda).allocate(staging.capacity));
  staging.reserve(graph.uploads);
  if (graph.graph ? !repeats(graph, step.body) : !record(graph, step.body)) {
    graph.forget();
    Tape::current().reset();
    return run_as_it_is(graph, step.body);
  }
  launch(graph);
}

const bool installed = install<Device::cuda>(kernels::repeated_step, repeated_step_cuda);

}  // namespace

namespace gpu {

void note(const void* call, size_t bytes) {
  Recorder& r = recorder();
  std::vector<unsigned char>& calls = r.now->calls;
  if (recording == Recording::records) {
    const auto* from = static_cast<const unsigned char*>(call);
    calls.insert(calls.end(), from, from + bytes);
    return;
  }
  if (bytes > calls.size() - r.compared || std::memcmp(calls.data() + r.compared, call, bytes) != 0) throw Differs{};
  r.compared += bytes;
}

void* stage_for_graph(const void* host, size_t bytes) {
  Recorder& r = recorder();
  if (r.staged + staged_size(bytes) > r.now->uploads) throw Differs{};
  std::memcpy(staging().free() + r.staged, host, bytes);
  void* at = r.inbox + r.staged;
  r.staged += staged_size(bytes);
  return at;
}

void refuse_in_graph(const char* what) {
  if (recording == Recording::repeats) throw Differs{};  // what was recorded did not
  if (recording == Recording::records) throw CannotRecord{what};
}

}  // namespace gpu
}  // namespace seqgrad

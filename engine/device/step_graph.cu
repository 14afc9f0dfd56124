// Recording is stream capture; repeating compares calls byte by byte and launches the graph after one copy of uploads.
#include "engine/device/step_graph.h"

#include <cstring>
#include <list>

#include "engine/device/recording.cuh"

namespace seqgrad {
namespace {

struct Graph {
  std::vector<int64_t> key;
  cudaGraphExec_t graph = nullptr;
  std::vector<unsigned char> calls;  // as gpu::note got them
  size_t uploads = 0;                // bytes
  bool ran = false;                  // as it is

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

// False: it uploads more than it did before.
bool record(Graph& graph, const std::function<void()>& body) {
  graph.forget();
  gpu::check(cudaStreamBeginCapture(gpu::stream(), cudaStreamCaptureModeThreadLocal), "recording of a step");
  cudaGraph_t captured = nullptr;
  const auto abandon = [&] {
    (void)cudaStreamEndCapture(gpu::stream(), &captured);
    if (captured) (void)cudaGraphDestroy(captured);
    (void)cudaGetLastError();
    graph.forget();
  };
  try {
    const Scope scope(graph, gpu::Recording::records);
    body();
  } catch (const Differs&) {
    abandon();
    return false;
  } catch (...) {
    abandon();
    throw;
  }
  gpu::check(cudaStreamEndCapture(gpu::stream(), &captured), "recording of a step");
  const cudaError_t status = cudaGraphInstantiate(&graph.graph, captured, 0);
  (void)cudaGraphDestroy(captured);
  gpu::check(status, "instantiation of a graph");
  return true;
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
    gpu::check(cudaMemcpyAsync(recorder().inbox, from.memory + from.used, bytes, cudaMemcpyHostToDevice, gpu::stream()),
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
  if (!step_graphs()) return step.body();
  Graph& graph = find(step.key);
  if (!graph.ran) return run_as_it_is(graph, step.body);
  gpu::Staging& staging = gpu::staging();
  if (graph.uploads > staging.capacity) return step.body();
  if (!recorder().inbox) recorder().inbox = static_cast<char*>(backend(Device::cuda).allocate(staging.capacity));
  if (staging.used + graph.uploads > staging.capacity) backend(Device::cuda).synchronise();
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
  std::memcpy(staging().memory + staging().used + r.staged, host, bytes);
  void* at = r.inbox + r.staged;
  r.staged += staged_size(bytes);
  return at;
}

void refuse_in_graph(const char* what) {
  if (recording == Recording::repeats) throw Differs{};  // what was recorded did not
  if (recording == Recording::records)
    system_failure("step graph: a step that is recorded {}; train with graphs: false, and report this", what);
}

}  // namespace gpu
}  // namespace seqgrad

// Stream capture and graphs: calls that are kept and made again in their order.
#include <memory>
#include <stdexcept>
#include <vector>

#include "tests/emulate/gpu_emulator.h"

static int64_t alive = 0;

struct EmulatedGraph {
  std::vector<std::function<void()>> calls;
  EmulatedGraph() { ++alive; }
  EmulatedGraph(const EmulatedGraph& other) : calls(other.calls) { ++alive; }
  ~EmulatedGraph() { --alive; }
  EmulatedGraph& operator=(const EmulatedGraph&) = delete;
};

namespace emulate {
namespace {

std::unique_ptr<EmulatedGraph> captured;  // while a stream is
bool spoilt = false;
int64_t launched = 0, nodes_run = 0;

}  // namespace

cudaError_t injected(const char* function);
cudaError_t remember(cudaError_t status);

int64_t graph_launches() { return launched; }
int64_t graph_nodes() { return nodes_run; }
int64_t graphs() { return alive; }

bool kept_for_graph(std::function<void()> call) {
  if (!captured) return false;
  captured->calls.push_back(std::move(call));
  return true;
}

cudaError_t outside_of_graphs() {
  if (!captured) return cudaSuccess;
  spoilt = true;
  return remember(cudaErrorStreamCaptureUnsupported);
}

}  // namespace emulate

using emulate::injected;

cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
  if (const cudaError_t status = injected(__func__); status != cudaSuccess) return status;
  if (emulate::captured) throw std::logic_error("cudaStreamBeginCapture: the stream is captured already");
  emulate::captured = std::make_unique<EmulatedGraph>();
  emulate::spoilt = false;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  if (!emulate::captured) throw std::logic_error("cudaStreamEndCapture: the stream is not captured");
  *graph = nullptr;
  const std::unique_ptr<EmulatedGraph> all = std::move(emulate::captured);
  if (const cudaError_t status = injected(__func__); status != cudaSuccess) return status;
  if (emulate::spoilt) return emulate::remember(cudaErrorStreamCaptureInvalidated);
  *graph = new EmulatedGraph(*all);
  return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  if (const cudaError_t status = injected(__func__); status != cudaSuccess) return status;
  if (nodes) throw std::logic_error("cudaGraphGetNodes: only their number is emulated");
  *count = graph->calls.size();
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  if (const cudaError_t status = injected(__func__); status != cudaSuccess) return status;
  *executable = new EmulatedGraph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t) {
  if (const cudaError_t status = injected(__func__); status != cudaSuccess) return status;
  if (const cudaError_t status = emulate::outside_of_graphs(); status != cudaSuccess) return status;
  ++emulate::launched;
  emulate::nodes_run += static_cast<int64_t>(executable->calls.size());
  for (const auto& call : executable->calls) call();
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return injected(__func__);
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return injected(__func__);
}

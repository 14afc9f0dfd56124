// Without a GPU a step is what its body does.
#include "engine/device/step_graph.h"

#include <atomic>

namespace seqgrad {
namespace {

struct {
  std::atomic<bool> on = true;
  std::atomic<int64_t> replays_per_comparison = 64, nodes = 0;
} graphs;

const bool installed = install<Device::cpu>(
    kernels::run_step, +[](const kernels::RunStep& run) { run.step.body(); });

}  // namespace

void set_step_graphs(bool on) { graphs.on = on; }
bool step_graphs() { return graphs.on; }

void set_replays_per_comparison(int64_t replays) { graphs.replays_per_comparison = replays; }
int64_t replays_per_comparison() { return graphs.replays_per_comparison; }

int64_t step_graph_nodes() { return graphs.nodes; }
void note_step_graph_nodes(int64_t count) { graphs.nodes = count; }

}  // namespace seqgrad

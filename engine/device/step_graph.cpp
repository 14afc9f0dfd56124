// Without a GPU a step is what its body does.
#include "engine/device/step_graph.h"

#include <atomic>

namespace seqgrad {
namespace {

std::atomic<bool> on_gpus = true;
std::atomic<int64_t> per_comparison = 64, nodes = 0;

const bool installed = install<Device::cpu>(
    kernels::run_step, +[](const kernels::RunStep& run) { run.step.body(); });

}  // namespace

void set_step_graphs(bool on) { on_gpus = on; }
bool step_graphs() { return on_gpus; }

void set_replays_per_comparison(int64_t replays) { per_comparison = replays; }
int64_t replays_per_comparison() { return per_comparison; }

int64_t step_graph_nodes() { return nodes; }
void note_step_graph_nodes(int64_t count) { nodes = count; }

}  // namespace seqgrad

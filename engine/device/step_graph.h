// Parts of a training step that a GPU repeats by itself once it has done them: CUDA graphs, one for each size of batch.
#pragma once
#include <functional>
#include <vector>

#include "engine/core/kernel.h"

namespace seqgrad {

// What `body` asks of the device, and at which addresses, is to be the same for every call with the same key, but for
// the numbers that it uploads; it begins with a tape that was just reset, and may run twice. One that waits for the
// device or allocates memory on it cannot be recorded: it runs as it is every time, and a warning says so once.
struct RepeatedStep {
  std::vector<int64_t> key;
  std::function<void()> body;
};

namespace kernels {
// Runs `body`. On a GPU: at first as it is; the second time with a key it is recorded; from then on it runs on the host
// only, each call is compared with the recorded one, and the device gets the new uploads and repeats the graph. Where a
// call differs nothing was done yet, and `body` runs as it is: no graph is ever repeated that does not fit.
inline constinit Kernel<RepeatedStep> repeated_step{"repeated_step"};
}  // namespace kernels

// Whether a GPU records and repeats steps, or runs each as it is. For the whole process; on from the start.
void set_step_graphs(bool on);
bool step_graphs();

// Nodes of the graph that was recorded last, cuBLAS's own among them; 0: none was.
int64_t step_graph_nodes();
void note_step_graph_nodes(int64_t nodes);  // for what records them

constexpr size_t most_step_graphs = 64;  // then the one that was not used for longest goes

}  // namespace seqgrad

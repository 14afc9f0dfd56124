// Training steps that a GPU replays as CUDA graphs once it has recorded them, one for each size of batch. README.md
// walks through a step.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/core/kernel.h"
#include "engine/core/step_inputs.h"

namespace seqgrad {

// Begins on a tape that has been reset and holds the inputs, uploaded, and nothing else.
struct GraphStep {
  std::vector<int64_t> key;  // all that decides what `body` asks of the device, and at which addresses
  // All that the host gives the device in this step. `body` may refuse numbers for lying outside a range, never for
  // lying inside it.
  std::span<const StepInputs::Slot> inputs;
  // Asks the device for the step. It uploads nothing and may run several times for one step, or not at all. Where it
  // waits for the device or asks for memory it cannot be recorded: it then runs every time, and a warning says so once.
  std::function<void()> body;
};

// Owns the graphs of one user, who is alone with a key.
class StepGraphs {
 public:
  explicit StepGraphs(Device device) : device_(device) {}

  // Runs the body. On a GPU: the first step of a key runs as it is, the second is recorded, and from then on the graph
  // is launched instead, as long as the inputs lie where they lay, with ids and lengths no further out than the body
  // has accepted. In every so many replays the body runs on the host, and each call is compared with the recorded one:
  // where one differs nothing has been done yet, and the step runs as it is; SystemError if replays in between were not
  // compared.
  void run(const GraphStep& step);

 private:
  Device device_;
  std::shared_ptr<void> recordings_;  // of a GPU
};

namespace kernels {
struct RunStep {
  const GraphStep& step;
  std::shared_ptr<void>& recordings;
};
inline constinit Kernel<RunStep> run_step{"step"};
}  // namespace kernels

inline void StepGraphs::run(const GraphStep& step) { kernels::run_step(device_, {step, recordings_}); }

// Whether a GPU records and replays steps, or runs each as it is. For the whole process; on from the start.
void set_step_graphs(bool on);
bool step_graphs();

// One replay in how many is compared; 64 from the start, 1 is every one. For the whole process.
void set_replays_per_comparison(int64_t replays);
int64_t replays_per_comparison();

// Nodes of the graph that was recorded last, cuBLAS's own among them; 0: none was.
int64_t step_graph_nodes();
void note_step_graph_nodes(int64_t nodes);  // for what records them

constexpr size_t most_step_graphs = 64;  // of one StepGraphs; then the one that was not used for longest goes

}  // namespace seqgrad

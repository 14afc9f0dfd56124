// Training steps that a GPU replays as CUDA graphs once it has recorded them, one for each size of batch. README.md
// walks through a step.
#pragma once
#include <functional>
#include <memory>
#include <optional>
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

struct GraphOptions {
  bool replay = true;  // false: each step runs as it is
  // One replay in how many is compared, 1: every one. None: 64, or in the emulator every one.
  std::optional<int64_t> replays_per_comparison = {};
};

// Owns the graphs of one user, who is alone with a key.
class StepGraphs {
 public:
  explicit StepGraphs(Device device, const GraphOptions& options = {}) : device_(device), options_(options) {}

  // Runs the body. On a GPU: the first step of a key runs as it is, the second is recorded, and from then on the graph
  // is launched instead, as long as the inputs lie where they lay, with ids and lengths no further out than the body
  // has accepted. In every so many replays the body runs on the host, and each call is compared with the recorded one:
  // where one differs nothing has been done yet, and the step runs as it is; SystemError if replays in between were not
  // compared.
  void run(const GraphStep& step);

  // Nodes of the graph that was recorded last, cuBLAS's own among them; 0: none was.
  int64_t nodes() const { return nodes_; }

 private:
  Device device_;
  GraphOptions options_;
  std::shared_ptr<void> recordings_;  // of a GPU
  int64_t nodes_ = 0;
};

namespace kernels {
struct RunStep {
  const GraphStep& step;
  const GraphOptions& options;
  std::shared_ptr<void>& recordings;
  int64_t& nodes;
};
inline constinit Kernel<RunStep> run_step{"step"};
}  // namespace kernels

inline void StepGraphs::run(const GraphStep& step) {
  kernels::run_step(device_, {step, options_, recordings_, nodes_});
}

constexpr size_t most_step_graphs = 64;  // of one StepGraphs; then the one that was not used for longest goes

}  // namespace seqgrad

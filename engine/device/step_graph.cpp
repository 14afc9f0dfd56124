// Without a GPU a step is what its body does.
#include "engine/device/step_graph.h"

namespace seqgrad {
namespace {

bool on_gpus = true;

const bool installed = install<Device::cpu>(
    kernels::repeated_step, +[](const RepeatedStep& step) { step.body(); });

}  // namespace

void set_step_graphs(bool on) { on_gpus = on; }
bool step_graphs() { return on_gpus; }

}  // namespace seqgrad

// Without a GPU a step is what its body does.
#include "engine/device/step_graph.h"

namespace seqgrad {
namespace {

const bool installed = install<Device::cpu>(
    kernels::run_step, +[](const kernels::RunStep& run) { run.step.body(); });

}  // namespace
}  // namespace seqgrad

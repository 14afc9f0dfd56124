// Threads are the process's, the other settings the current tape's, so that ops need no argument for them.
#include "engine/run/process_settings.h"

#include <algorithm>
#include <thread>

#include "engine/core/thread_pool.h"
#include "engine/device/choose.h"
#include "engine/device/gemm.h"
#include "engine/loss/loss_tile.h"
#include "engine/text/numbers.h"

namespace seqgrad {

namespace {

MatmulPrecision precision_of(const std::string& name, const DeviceChoice& choice) {
  if (name == "tf32" && choice.device != Device::cuda)
    refuse("precision: tf32 is made by the tensor cores of a GPU, and this run is on the CPU{}; write fp32",
           choice.why_not_gpu.empty() ? "" : fmt::format(" ({})", choice.why_not_gpu));
  return name == "tf32" ? MatmulPrecision::tf32 : name == "bf16" ? MatmulPrecision::bf16 : MatmulPrecision::fp32;
}

// Threads that a step has work for, by the multiplications of one time step of its decoder: with fewer than these for
// each, two threads were as often slower than one as faster (`bench step` with --axis, 2 cores).
int64_t threads_worth_having(const Config& c) {
  constexpr int64_t worth_a_thread = 750'000;
  const auto& batch = c.train.batch;
  const int64_t sentences =
      (batch.by() == "sentences" ? batch.size() : std::max<int64_t>(1, batch.size() / 16)) / batch.shards();
  return std::max<int64_t>(1, sentences * c.model->step_products() / worth_a_thread);
}

}  // namespace

ProcessSettings apply_process_settings(const Config& config, std::optional<int64_t> cores) {
  const DeviceChoice choice = choose_device(config.device());
  set_matmul_precision(precision_of(config.precision(), choice), choice.device);
  set_loss_tile_mib(config.logits_mib());
  const int64_t all = std::max(1u, std::thread::hardware_concurrency()),
                worth = std::min(int64_t{16}, threads_worth_having(config));
  set_threads(static_cast<int>(config.threads().value_or(std::min(cores.value_or(all), worth))));
  if (choice.device != Device::cpu)
    return {choice.device, fmt::format("{}, {}", name_of(choice.device), backend(choice.device).describe())};
  return {Device::cpu, fmt::format("cpu, {}{}", counted(threads(), "thread"),
                                   choice.why_not_gpu.empty() ? "" : fmt::format(" (no GPU: {})", choice.why_not_gpu))};
}

}  // namespace seqgrad

// Asking for the device's description is what begins to use it, so its faults come out here.
#include "engine/device/choose.h"

#include <algorithm>

#include "engine/core/error.h"

namespace seqgrad {

DeviceChoice choose_device(const std::string& name) {
  const auto* const named = std::find(std::begin(device_names), std::end(device_names), name);
  if (named == std::end(device_names) && name != "auto")
    refuse("--device: expected {} or auto, got '{}'", fmt::join(device_names, ", "), shown(name));
  const auto device = static_cast<Device>(named - device_names);
  if (name == "cpu") return {Device::cpu, ""};
  if (name != "auto" && device != Device::cuda) {
    backend(device).describe();
    return {device, ""};
  }
  const bool built = has_backend(Device::cuda);
  if (name == "auto" && !built) return {Device::cpu, "built without CUDA"};
  if (!built) system_failure("device cuda: this build has no CUDA support; use --device cpu");
  try {
    backend(Device::cuda).describe();
  } catch (const SystemError& e) {
    if (name == "cuda") throw;
    const std::string text = e.what(), prefix = "device cuda: ";
    return {Device::cpu, text.starts_with(prefix) ? text.substr(prefix.size()) : text};
  }
  return {Device::cuda, ""};
}

}  // namespace seqgrad

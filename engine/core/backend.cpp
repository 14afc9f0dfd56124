// The table of devices that this build has.
#include "engine/core/backend.h"

#include "engine/core/error.h"

namespace seqgrad {

static constinit Backend* backends[device_count] = {};

Backend& backend(Device device) {
  Backend* found = backends[static_cast<int>(device)];
  if (!found) system_failure("device {}: this build has no support for it", name_of(device));
  return *found;
}

bool has_backend(Device device) { return backends[static_cast<int>(device)] != nullptr; }

bool install_backend(Device device, Backend& backend) {
  backends[static_cast<int>(device)] = &backend;
  return true;
}

}  // namespace seqgrad
